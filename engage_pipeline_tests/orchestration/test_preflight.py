"""What a run finds missing before it has done any work: one line, and nothing is made."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.numpy import save_file

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.engines.spark import session
from engage_pipeline.errors import UserError
from engage_pipeline.orchestration.preflight import expected_steps, require_ready
from engage_pipeline.settings.settings import load_settings
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests import worlds
from engage_pipeline_tests.faults.small_disks import small_disk

HUB = "nobody/no-such-encoder"


@pytest.fixture
def config(ingested_world: Path, tmp_path: Path) -> Path:
    """The raw files of a world of which nothing is made."""
    shutil.copytree(ingested_world / "raw", tmp_path / "raw")
    shutil.copy(ingested_world / "dagster.yaml", tmp_path)
    return worlds.write_config(tmp_path)


def store_of(folder: Path, **values: object) -> ArtifactStore:
    return ArtifactStore(load_settings(worlds.write_config(folder, **values)))


def refused(store: ArtifactStore, wanted: object = ARTIFACTS) -> str:
    with pytest.raises(UserError) as caught:
        require_ready(store, wanted)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def engage(config: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("engage")), "run", "--config", str(config), *arguments]
    values = {**os.environ, "DAGSTER_HOME": str(config.parent), **environment}
    return subprocess.run(command, env=values, capture_output=True, text=True, check=False)


def assert_nothing_was_made(done: subprocess.CompletedProcess[str], config: Path) -> str:
    assert done.returncode == 1, done.stdout
    assert not list((config.parent / "data").rglob("manifest.json"))
    lines = done.stderr.splitlines()
    (line,) = [line for line in lines if line.startswith("engage: ")]
    assert lines[-1] == line
    assert not [text for text in lines if "to be made" in text]
    return line


def test_all_is_there(config: Path) -> None:
    require_ready(store_of(config.parent), ARTIFACTS)


def test_an_encoder_that_is_in_no_cache_is_named_before_the_ingest(config: Path, tmp_path: Path) -> None:
    config = worlds.write_config(config.parent, encoder={"model": HUB})
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache")}
    line = assert_nothing_was_made(engage(config, **offline), config)
    assert line.startswith(f"engage: encoder.model: {HUB} is not in the local cache and can't be fetched (")
    assert line.endswith("; give a local folder with config.json and model.safetensors, or `none`")


def test_an_encoder_in_the_cache_or_a_folder_is_found(config: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "cache" / "hub" / "models--some--encoder" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("0" * 40)
    write_encoder(snapshot)
    looking = "import sys; from pathlib import Path; from engage_pipeline.settings.settings import load_settings; "
    looking += "from engage_pipeline.language.encoder_files import reason_to_skip as look; "
    looking += "print(look(load_settings(Path(sys.argv[1]))), 'torch' in sys.modules)"
    config = worlds.write_config(config.parent, encoder={"model": "some/encoder"})
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-c", looking, str(config)]
    found = subprocess.run(command, env=offline, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "None False\n"), found.stderr
    require_ready(store_of(config.parent, encoder={"model": str(snapshot)}), ARTIFACTS)


def write_encoder(folder: Path, positions: int = 512) -> None:
    import numpy as np

    save_file({"weight": np.zeros(1, np.float32)}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"max_position_embeddings": positions}))


@pytest.mark.parametrize("missing", ["folder", "weights", "config", "positions"])
def test_a_local_encoder_is_looked_at(config: Path, tmp_path: Path, missing: str) -> None:
    folder = tmp_path / "encoder"
    if missing != "folder":
        folder.mkdir()
        write_encoder(folder, positions=5)
    if missing == "weights":
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    if missing == "config":
        (folder / "config.json").write_text("{")
    said = refused(store_of(config.parent, encoder={"model": str(folder), "max_tokens": 12}))
    assert str(folder) in said
    assert {
        "folder": "no such folder",
        "weights": "pickled weights are refused",
        "config": "no readable config.json",
        "positions": "encoder.max_tokens: 12, but",
    }[missing] in said


def test_a_tracker_that_is_not_installed_is_named_before_the_ingest(config: Path) -> None:
    line = assert_nothing_was_made(engage(config, "--set", "trackers=[mlflow, wandb]"), config)
    assert line == "engage: trackers: wandb is not installed: pip install wandb, or leave it out of trackers"


def test_a_run_without_training_needs_no_tracker(config: Path) -> None:
    require_ready(store_of(config.parent, trackers=["wandb"]), ["tweet_parts", "interaction_counts"])


def test_only_what_will_be_made_is_asked_for(config: Path) -> None:
    store = store_of(config.parent, encoder={"model": HUB})
    require_ready(store, ["tweet_parts", "interaction_counts"])


def test_a_finished_world_needs_no_encoder(world: Path) -> None:
    """Its encoder is made: that the setting names one that is nowhere now is the matter of who makes it again."""
    store = worlds.store_of(world / "config.yaml")
    assert expected_steps(store, ARTIFACTS) == []
    shutil.rmtree(store.folder("submission"))
    assert [step.artifact for step in expected_steps(store, ARTIFACTS)] == ["submission"]
    shutil.rmtree(store.folder("tweet_topics"))
    found = {step.artifact for step in expected_steps(store, ARTIFACTS)}
    below = {"engagement_effects", "engagement_trees", "candidate_model", "trained_model", "evaluation"}
    assert found == {"tweet_topics", *below, "submission"}


def test_lzop_is_asked_for_where_a_part_needs_it(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = config.parent / "raw" / "train" / "part-00001"
    part.rename(part.with_suffix(".lzo"))
    monkeypatch.setenv("PATH", str(config.parent))
    said = refused(store_of(config.parent))
    assert (
        said == f"{part.with_suffix('.lzo')}: to read .lzo, install Debian's package lzop, or decompress the part first"
    )
    require_ready(store_of(config.parent), ["validation_tweets"])


def test_java_is_asked_for_where_spark_is_to_be_used(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(config.parent))
    monkeypatch.setenv("JAVA_HOME", str(config.parent / "nowhere"))
    monkeypatch.setattr(session, "_running", [])  # another test's session in this process would be used
    said = refused(store_of(config.parent, engine={"kind": "spark"}))
    assert said.startswith("engine.kind = spark: ")
    assert str(config.parent / "nowhere") in said or "pip install" in said


def test_folders_and_lists_are_looked_at(config: Path) -> None:
    lists = config.parent / "deletions"
    lists.mkdir()
    (lists / "tweets").write_text("no\0id\n")
    store = store_of(config.parent, deletions="deletions")
    assert str(lists / "tweets") in refused(store)
    shutil.rmtree(lists)
    for name in ("train", "validation", "test"):
        (config.parent / "raw" / name).rename(config.parent / "away")
        assert str(config.parent / "raw" / name) in refused(store)
        (config.parent / "away").rename(config.parent / "raw" / name)
    require_ready(store, ARTIFACTS)


@pytest.mark.long
def test_a_disk_that_is_surely_too_small_is_named_at_the_start(config: Path) -> None:
    raw = config.parent / "raw"
    packed = raw / "train" / "part-00001"
    packed.with_suffix(".gz").write_bytes(gzip.compress(packed.read_bytes()))
    packed.unlink()
    size = sum(path.stat().st_size * (4 if path.suffix == ".gz" else 1) for path in raw.rglob("part-*"))
    with small_disk(config.parent / "data", 2_000_000) as disk:
        disk.leave(size // 4 - 8192)
        line = assert_nothing_was_made(engage(config), config)
        assert line.startswith(f"engage: {config.parent / 'data'}: ")
        assert "KB free, and making tweet_parts/part-00000 and " in line
        told = re.fullmatch(r".* takes at least ([\d.]+) KB: make room there, or name another working_dir", line)
        assert told
        assert float(told[1]) == pytest.approx(size / 4000, rel=0.01)
        disk.leave(size // 4 + 16_384)
        require_ready(store_of(config.parent), ARTIFACTS)
