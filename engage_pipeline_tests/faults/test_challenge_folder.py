"""The folders as the challenge ships them: compressed parts with indexes beside them, lists of deletions as parts."""

import logging
import shutil
import subprocess
from pathlib import Path

import dagster as dg
import pytest

from engage_pipeline import schema
from engage_pipeline.orchestration.automation.parts_sensor import parts_sensor
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline_tests import worlds
from engage_pipeline_tests.faults.raw import part_of, rows_of
from engage_pipeline_tests.test_cli import engage
from engage_pipeline_tests.traces import traces

pytestmark = [pytest.mark.long, pytest.mark.skipif(shutil.which("lzop") is None, reason="lzop is not installed")]
LISTS = {"tsv_deleted_user_id": "engaging_user_id", "tsv_deleted_engaged_with_tweet_id": "tweet_id"}


def as_shipped(folder: Path) -> set[str]:
    """A world as the challenge ships it, with what tools leave beside parts; ids that its lists delete."""
    worlds.make_world(folder)
    train = folder / "raw" / "train"
    line = (train / "part-00001").read_text(encoding="utf-8").split("\n")[7].split("\x01")
    for part in sorted(train.iterdir()):
        subprocess.run(["lzop", "-U", str(part)], check=True)
        part.with_name(f"{part.name}.lzo.index").write_bytes(bytes(8))
        part.with_name(f".{part.name}.lzo.crc").write_bytes(b"crc")
    (train / "_SUCCESS").touch()
    ids = set()
    for name, column in LISTS.items():
        lists = folder / "deletions" / name
        lists.mkdir(parents=True)
        ids.add(line[schema.COLUMN_NAMES.index(column)])
        (lists / "part-00000").write_text(line[schema.COLUMN_NAMES.index(column)] + "\n", encoding="utf-8")
        (lists / "_SUCCESS").touch()
    return ids


def test_they_are_read_as_they_are(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ids = as_shipped(tmp_path)
    config = worlds.write_config(tmp_path, deletions="deletions", automation={"stable_seconds": 0})
    caplog.set_level(logging.INFO, "engage_pipeline")
    sensor = parts_sensor(worlds.store_of(config).settings.automation)
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(3):
            context = dg.build_sensor_context(instance, resources={"pipeline": Pipeline(config=str(config))})
            asked = sensor(context)
            assert isinstance(asked, dg.SensorResult)
            assert [len(request.partition_keys) for request in asked.dynamic_partitions_requests or []] == [3]
        worlds.run(config, "tweet_parts", instance)
    train = tmp_path / "raw" / "train"
    others = "'.part-00000.lzo.crc', '.part-00001.lzo.crc', '.part-00002.lzo.crc' and 4 more"
    told = [message for message in caplog.messages if "skipped" in message and str(train) in message]
    assert told == [f"{train}: not parts, skipped: {others}"]
    store = worlds.store_of(config)
    assert store.parts() == ["part-00000", "part-00001", "part-00002"]
    assert sum(store.open("tweet_parts", key).manifest.facts["forgotten"] for key in store.parts()) > 0
    assert traces(tmp_path / "data", ids) == {}
    assert len(rows_of(config)) > 900
    assert not part_of(config).exists()


def test_forgetting_names_the_folder_that_holds_no_list(tmp_path: Path) -> None:
    config = worlds.make_world(tmp_path)
    worlds.write_config(tmp_path, deletions="lists")
    done = engage("forget", "--config", str(config), home=tmp_path)
    assert f"no deletions: the folder {tmp_path / 'lists'} does not exist (setting deletions)" in done.stdout
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "users").touch()
    done = engage("forget", "--config", str(config), home=tmp_path)
    assert f"no deletions: the folder {tmp_path / 'lists'} holds no ids (setting deletions)" in done.stdout
    (tmp_path / "lists" / "users").write_text(f"{'0' * 32}\n{'0' * 31}\n", encoding="utf-8")
    done = engage("forget", "--config", str(config), home=tmp_path)
    assert f"{tmp_path / 'lists' / 'users'}: line 2: '{'0' * 31}' is not an id of 32 hexadecimal digits" in done.stderr
