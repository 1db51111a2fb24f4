"""What is made again, why and of what, without a run."""

from pathlib import Path

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.plan import Step, parts_a_run, plan_segment, raw_sources, training_listing, training_parts
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests.samples import bare_store, edit_manifest, settings_of_three_parts


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of_three_parts(tmp_path)


@pytest.fixture
def store(settings: Settings) -> ArtifactStore:
    return bare_store(settings)


def make(store: ArtifactStore, name: str, key: str | None = None) -> None:
    with store.publish(name, key, raw_sources(store.settings, name, key)) as draft:
        draft.path("rows.parquet").write_bytes(f"{name} {key}".encode())


def limited(settings: Settings, **values: object) -> Settings:
    return settings.model_copy(update=values)


def test_parts_that_are_not_there_are_made_in_order(store: ArtifactStore) -> None:
    assert plan_segment(store, ["tweet_parts"]) == [
        Step("tweet_parts", f"part-0000{number}", "not there yet") for number in range(3)
    ]
    for number in range(3):
        make(store, "tweet_parts", f"part-0000{number}")
    assert plan_segment(store, ["tweet_parts"]) == []


def test_only_what_would_come_out_otherwise_is_made(store: ArtifactStore, settings: Settings) -> None:
    for number in range(3):
        make(store, "tweet_parts", f"part-0000{number}")
    make(store, "interaction_counts")
    assert plan_segment(store, ["interaction_counts"]) == []
    (settings.recsys_data / "part-00001").write_bytes(b"other rows")
    assert plan_segment(store, ["tweet_parts"]) == [Step("tweet_parts", "part-00001", "part-00001 was replaced")]
    (settings.recsys_data / "part-00002").unlink()
    assert plan_segment(store, ["interaction_counts"]) == [
        Step("interaction_counts", None, "tweet_parts/part-00002 is left out")
    ]


def test_other_code_and_other_inputs_are_reasons(store: ArtifactStore) -> None:
    make(store, "tweet_parts", "part-00000")
    edit_manifest(store.folder("tweet_parts", "part-00000"), lambda values: values.update(code_version="0"))
    (step,) = [step for step in plan_segment(store, ["tweet_parts"]) if step.key == "part-00000"]
    assert step.reason.startswith("code version 0 → ")
    make(store, "interaction_features", "part-00000")
    manifest = store.manifest("interaction_features", "part-00000")
    assert manifest is not None
    assert manifest.inputs["validation_counts"] == "absent"
    make(store, "validation_counts")
    assert [step.reason for step in plan_segment(store, ["interaction_features"])] == ["validation_counts changed"]


def test_no_more_parts_than_the_setting_says(store: ArtifactStore, settings: Settings) -> None:
    two = limited(settings, max_n_parts=2)
    assert list(training_parts(two)) == list(training_listing(two).parts) == ["part-00000", "part-00001"]
    assert list(training_parts(settings)) == ["part-00000", "part-00001", "part-00002"]
    assert [step.key for step in plan_segment(bare_store(two), ["tweet_parts"])] == ["part-00000", "part-00001"]
    assert raw_sources(two, "tweet_parts", "part-00002") == []
    for number in range(3):
        make(store, "tweet_parts", f"part-0000{number}")
    assert [step.key for step in plan_segment(bare_store(two), ["interaction_features"])] == [
        "part-00000",
        "part-00001",
    ]


def test_a_part_is_made_of_its_own_file_alone(settings: Settings) -> None:
    assert raw_sources(settings, "tweet_parts", "part-00001") == [settings.recsys_data / "part-00001"]
    (settings.recsys_data / "part-00001.gz").write_bytes(b"the same part again")
    with pytest.raises(UserError, match="are both part part-00001; remove one"):
        raw_sources(settings, "tweet_parts", "part-00001")
    assert raw_sources(settings, "tweet_parts", "part-00002") == [settings.recsys_data / "part-00002"]


def test_a_local_encoder_s_weights_and_configuration_are_sources(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    folder.mkdir()
    for name in ("model.safetensors", "config.json", "README.md"):
        (folder / name).write_text(name, encoding="utf-8")
    local = limited(settings, encoder=settings.encoder.model_copy(update={"model": str(folder)}))
    assert raw_sources(local, "finetuned_encoder") == [folder / "config.json", folder / "model.safetensors"]
    (folder / "vocab.txt").write_text("[PAD]", encoding="utf-8")
    assert raw_sources(local, "finetuned_encoder")[-1] == folder / "vocab.txt"
    assert raw_sources(settings, "interaction_counts") == []


@pytest.mark.parametrize(
    ("in_memory", "at_once", "ingested", "with_features"), [(1, 8, 1, 8), (8, 1, 8, 8), (3, 3, 3, 3)]
)
def test_parts_a_run(settings: Settings, in_memory: int, at_once: int, ingested: int, with_features: int) -> None:
    engine = settings.engine.model_copy(update={"parts_at_once": at_once})
    chosen = limited(settings, max_n_parts_in_memory=in_memory, engine=engine)
    assert parts_a_run(chosen, "tweet_parts") == ingested
    assert parts_a_run(chosen, "interaction_features") == with_features
