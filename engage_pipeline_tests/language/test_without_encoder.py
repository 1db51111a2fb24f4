"""Without pretrained weights: what is skipped, who is told, and what is an error all the same."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pyarrow.parquet as pq
import pytest
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from engage_pipeline import open_artifact
from engage_pipeline.errors import UserError
from engage_pipeline.language.codes import NO_CODE, load_codes
from engage_pipeline.language.emde import code_tokens
from engage_pipeline.language.encoder_files import READS_WORDS, local_folder, reason_to_skip
from engage_pipeline.language.encoders import starting_encoder
from engage_pipeline.language.facts import EncoderFacts
from engage_pipeline.language.token_vectors import TOKEN_VECTORS, no_vectors
from engage_pipeline.model.network.architectures import ARCHITECTURES, reads_vocabulary
from engage_pipeline.settings.computing import DISTILBERT, EncoderSettings
from engage_pipeline.settings.settings import Settings, load_settings
from engage_pipeline_tests import worlds
from engage_pipeline_tests.samples import tiny_settings

SKIPPED = "finetuned_encoder, token_sketches and emde_sketches are skipped, and the network reads words without "
SKIPPED += "sketches"
UNREACHABLE = f"{DISTILBERT} is neither in the local cache nor to be had from the hub"


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))


def settings_with(folder: Path, model: str, architecture: str = READS_WORDS) -> Settings:
    return tiny_settings(folder, encoder={"model": model}, network={"architecture": architecture})


def test_auto_is_skipped_where_its_weights_cannot_be_had(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert reason_to_skip(settings_with(tmp_path, "auto")) == UNREACHABLE
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    line = record.getMessage()
    assert line.startswith(f"encoder.model: {DISTILBERT} is not in the local cache and can't be fetched (")
    assert line.endswith(f"): {SKIPPED}; to have an encoder, give encoder.model its name or folder")
    assert "\n" not in line


def test_none_is_skipped_without_a_look_at_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: pytest.fail("the hub was asked"))
    with caplog.at_level(logging.INFO):
        assert reason_to_skip(settings_with(tmp_path, "none")) == "encoder.model is none"
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert reason_to_skip(settings_with(tmp_path, "tiny")) is None


def test_what_was_skipped_stays_so_without_a_look_at_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: pytest.fail("the hub was asked"))
    assert reason_to_skip(settings_with(tmp_path, "auto"), EncoderFacts(why="it was away")) == "it was away"
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_an_encoder_is_never_replaced_by_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"^encoder\.model: {DISTILBERT} is not in the local cache .* folder"):
        reason_to_skip(settings_with(tmp_path, "auto"), EncoderFacts(tweets=9))


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        LocalEntryNotFoundError("Got: HfHubHTTPError: 503"),
        LocalEntryNotFoundError("Got: HfHubHTTPError: 429"),
    ],
)
def test_other_problems_are_told_and_skip_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(*_: object, **__: object) -> None:
        if isinstance(error, LocalEntryNotFoundError):
            raise error from HfHubHTTPError("the hub says no", response=Mock())
        raise error

    monkeypatch.setattr("huggingface_hub.snapshot_download", fails)
    with pytest.raises(UserError, match=rf"^encoder\.model: {DISTILBERT} is not .* or `none`$"):
        reason_to_skip(settings_with(tmp_path, "auto"))


@pytest.mark.parametrize("architecture", ["residual", "deep_cross"])
def test_a_network_that_reads_sketches_alone_needs_an_encoder(tmp_path: Path, architecture: str) -> None:
    with pytest.raises(UserError, match=rf"^encoder\.model: {DISTILBERT} is not .* folder"):
        reason_to_skip(settings_with(tmp_path, "auto", architecture))
    words = f"encoder.model: none, but network.architecture {architecture} reads text by sketches alone: .*`tiny`$"
    with pytest.raises(UserError, match=f"^{words}"):
        reason_to_skip(settings_with(tmp_path, "none", architecture))


def test_an_encoder_that_is_named_is_never_skipped(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"^encoder\.model: {DISTILBERT} is not .*, or `none`$"):
        reason_to_skip(settings_with(tmp_path, DISTILBERT))


def test_none_can_not_be_trained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^encoder\.model: none is no encoder"):
        starting_encoder(settings_with(tmp_path, "none"))


def test_words_are_read_by_the_architecture_that_is_said_to() -> None:
    assert [name for name in ARCHITECTURES if reads_vocabulary(name)] == [READS_WORDS]


def test_the_words_are_no_folders_and_no_names_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for word, base in (("auto", DISTILBERT), ("none", None), ("tiny", None)):
        (tmp_path / word).mkdir()
        settings = EncoderSettings.model_validate({"model": word})
        assert (settings.model, settings.base) == (word, base)
    assert EncoderSettings(model="some/encoder").base == "some/encoder"


def test_a_folder_of_the_same_name_where_the_program_runs_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One beside the settings file is: `EncoderSettings` gives its whole path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / DISTILBERT).mkdir()
    assert local_folder(DISTILBERT) is None
    named = EncoderSettings.model_validate({"model": DISTILBERT}, context={"folder": tmp_path})
    with pytest.raises(UserError, match=r"no model\.safetensors in it"):
        local_folder(named.model)


def test_the_reference_asks_for_its_encoder() -> None:
    assert load_settings(preset="synerise").encoder.model == DISTILBERT
    assert load_settings(preset="default").encoder.model == "auto"


def test_no_vectors_give_no_codes(tmp_path: Path) -> None:
    assert no_vectors(tmp_path)["why"] == "there is no encoder"
    facts = code_tokens(tmp_path / TOKEN_VECTORS, tmp_path, tiny_settings(tmp_path, sketch_depth=3, sketch_width=8))
    assert (facts["tokens"], facts["used_share"], facts["why"]) == (0, 0, "no token has a vector")
    codes = load_codes(tmp_path / "codes.parquet")
    assert codes.shape[1] == 3
    assert (codes == NO_CODE).all()


@pytest.mark.long
def test_the_whole_pipeline_runs_without_an_encoder(world: Path, tmp_path: Path) -> None:
    config = worlds.write_config(world, encoder={"model": "auto"}, network={"sketches": True})
    engage = [str(Path(sys.executable).with_name("engage")), "--config", str(config)]
    engage.insert(1, "run")
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache"), "DAGSTER_HOME": str(world)}
    done = subprocess.run(engage, env={**os.environ, **offline}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    told, *_ = [place for place, line in enumerate(lines) if SKIPPED in line]
    assert told < min(place for place, line in enumerate(lines) if "to be made" in line)
    store = worlds.store_of(config)
    assert store.open("finetuned_encoder").manifest.facts["why"] == UNREACHABLE
    assert list(open_artifact("finetuned_encoder", config=config).iterdir()) == []
    network = json.loads(store.open("pretrained_network").path("network.json").read_text())
    assert (network["sketch_depth"], network["vocabulary"][2] > 0) == (0, True)
    unknown = store.open("submission").manifest.facts["unknown"]
    assert (unknown["tokens"], unknown["unknown_tokens"]) == (0, 0)
    assert pq.read_metadata(store.open("emde_sketches").path("codes.parquet")).num_rows == 0
    report = store.open("evaluation").path("report.html").read_text(encoding="utf-8")
    assert UNREACHABLE in report

    engage[1] = "status"
    shown = subprocess.run(engage, env={**os.environ, **offline}, capture_output=True, text=True, check=True)
    (line,) = [line for line in shown.stdout.splitlines() if line.startswith("finetuned_encoder")]
    assert f"current; nothing in it ({UNREACHABLE})" in line
    engage[1] = "run"
    again = subprocess.run(engage, env={**os.environ, **offline}, capture_output=True, text=True, check=True)
    assert "to be made" not in again.stderr
    assert SKIPPED not in again.stderr
