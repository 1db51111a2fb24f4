"""Whether the encoder is skipped, as a run finds it: after parts came, settings changed, and the hub went away."""

import logging
import shutil
from pathlib import Path

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.language.encoders import save_encoder, starting_encoder
from engage_pipeline.language.facts import EncoderFacts
from engage_pipeline.orchestration.encoder_choice import check_encoder, encoder_workspace, skipped_before_training
from engage_pipeline.orchestration.preflight import expected_steps
from engage_pipeline.settings.computing import DISTILBERT
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests import worlds
from engage_pipeline_tests.samples import tiny_settings

WANTED = ("tweet_parts", "finetuned_encoder", "pretrained_network")


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(ingested_world: Path, tmp_path: Path) -> Path:
    worlds.copy_world(ingested_world, tmp_path / "world")
    return tmp_path / "world"


def store_of(folder: Path, model: str = "auto", **values: object) -> ArtifactStore:
    return worlds.store_of(worlds.write_config(folder, encoder={"model": model}, **values))


def made(folder: Path, facts: EncoderFacts, model: str = "auto") -> None:
    """Publishes an encoder with the figures `facts`."""
    with store_of(folder, model).publish("finetuned_encoder") as draft:
        (draft.directory / "config.json").write_text("{}")
        draft.record(facts)


def add_part(folder: Path, name: str) -> None:
    shutil.copy(folder / "raw" / "train" / "part-00000", folder / "raw" / "train" / name)


def write_base(folder: Path, seed: int) -> Path:
    """A local encoder with the whole vocabulary and random weights of `seed`."""
    base = folder / "base"
    base.mkdir(exist_ok=True)
    settings = tiny_settings(folder, encoder={"model": "tiny", "tiny_dim": 8, "tiny_layers": 1}, seed=seed)
    save_encoder(starting_encoder(settings), base)
    return base


def checked(store: ArtifactStore, caplog: pytest.LogCaptureFixture) -> list[str]:
    """The levels of what is logged before a run."""
    caplog.clear()
    with caplog.at_level(logging.INFO):
        check_encoder(store, expected_steps(store, WANTED))
    return [record.levelname for record in caplog.records]


def test_a_first_run_is_warned_and_the_next_is_not(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert checked(store_of(folder), caplog) == ["WARNING"]
    made(folder, EncoderFacts(why="it was away"))
    assert checked(store_of(folder), caplog) == []


def test_a_part_that_the_encoder_does_not_read_asks_for_nothing(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(folder, EncoderFacts(tweets=9))
    add_part(folder, "part-00099")
    store = store_of(folder)
    assert "finetuned_encoder" in {step.artifact for step in expected_steps(store, WANTED)}  # to be on the safe side
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: pytest.fail("the hub was asked"))
    assert checked(store, caplog) == []


def test_a_part_that_it_reads_asks_for_the_weights_of_an_encoder(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made(folder, EncoderFacts(tweets=9))
    add_part(folder, "part-")
    with pytest.raises(UserError, match=f"{DISTILBERT} is not in the local cache"):
        checked(store_of(folder), caplog)


def test_a_part_that_it_reads_leaves_a_skipped_encoder_skipped(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    made(folder, EncoderFacts(why="it was away"))
    add_part(folder, "part-")
    assert checked(store_of(folder), caplog) == ["INFO"]
    assert skipped_before_training(store_of(folder)) == "it was away"


@pytest.mark.parametrize(("model", "again"), [("tiny", "WARNING"), (DISTILBERT, None)])
def test_what_auto_did_not_make_binds_it_only_if_it_is_of_the_same_weights(
    folder: Path, caplog: pytest.LogCaptureFixture, model: str, again: str | None
) -> None:
    made(folder, EncoderFacts(tweets=9), model)
    if again:
        assert checked(store_of(folder), caplog) == [again]
    else:
        with pytest.raises(UserError, match=f"{DISTILBERT} is not in the local cache"):
            checked(store_of(folder), caplog)


def test_a_training_that_was_killed_is_not_given_up(folder: Path) -> None:
    store = store_of(folder)
    assert skipped_before_training(store) is not None
    (store.workspace("finetuned_encoder") / "resume-7").mkdir()
    with pytest.raises(UserError, match=f"{DISTILBERT} is not in the local cache"):
        skipped_before_training(store)


@pytest.mark.long
def test_a_killed_training_goes_on_only_from_the_weights_that_it_began_with(folder: Path) -> None:
    model = str(write_base(folder, seed=1))
    config = worlds.write_config(folder, encoder={"model": model})
    (encoder_workspace(worlds.store_of(config)) / "resume-7").mkdir()
    with pytest.raises(UserError, match=r"resume-7/model\.safetensors: not the weights of this encoder"):
        worlds.run(config, "finetuned_encoder")
    write_base(folder, seed=2)
    worlds.run(config, "finetuned_encoder")
    assert EncoderFacts.read(worlds.store_of(config).open("finetuned_encoder").manifest).why is None


def test_a_killed_training_outlives_a_folder_that_is_away_and_not_one_that_changed(folder: Path) -> None:
    base = write_base(folder, seed=1)
    store = store_of(folder, str(base))
    state = encoder_workspace(store) / "resume-7"
    state.mkdir()
    base.rename(folder / "elsewhere")
    with pytest.raises(UserError, match="no such folder"):
        skipped_before_training(store)
    (folder / "elsewhere").rename(base)
    assert skipped_before_training(store) is None
    assert encoder_workspace(store) == state.parent
    assert state.exists()
    write_base(folder, seed=2)
    assert encoder_workspace(store) != state.parent


def test_a_network_that_needs_an_encoder_is_refused_before_any_work(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made(folder, EncoderFacts(why="it was away"))
    store = store_of(folder, network={"architecture": "residual"})
    assert "finetuned_encoder" not in {step.artifact for step in expected_steps(store, WANTED)}
    with pytest.raises(UserError, match=r"^network.architecture: residual reads .*; it was skipped, as it was away$"):
        checked(store, caplog)
