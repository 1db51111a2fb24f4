"""Part names and partition keys that would lead elsewhere: refused before any path or statement is built."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.files.raw_parts import part_name
from engage_pipeline.orchestration.backfilling import backfill
from engage_pipeline.orchestration.partitions import register_parts
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline.store.rewriting import purge, remove
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests import worlds
from engage_pipeline_tests.faults.opened import audited, can_trace, trace
from engage_pipeline_tests.faults.raw import ingest, part_of

EVIL = [
    "../../evil",
    "part-00000/../../../evil",
    "/etc/evil",
    "..",
    ".",
    "",
    "~/evil",
    "part-'; DROP TABLE tweets; --",
    "part-' UNION SELECT * FROM read_text('/etc/passwd') --",
    'part-" evil',
    "part-*",
    "part-[0-9]",
    "part-\nevil",
    "part-00000\n",
    "part-\x00evil",
    "part-$(touch evil)",
    "part-é",
    "x" * 65,
]
ENTRANCES: dict[str, Callable[[ArtifactStore, str], object]] = {
    "folder": lambda store, key: store.folder("tweet_parts", key),
    "manifest": lambda store, key: store.manifest("tweet_parts", key),
    "open": lambda store, key: store.open("tweet_parts", key),
    "publish": lambda store, key: store.publish("tweet_parts", key).__enter__(),
    "workspace": lambda store, key: store.workspace("interaction_features", key),
    "stale": lambda store, key: store.stale("tweet_parts", key),
    "purge": lambda store, key: purge(store, "tweet_parts", key),
    "remove": lambda store, key: remove(store, "tweet_parts", key),
    "part_name": lambda store, key: part_name(store.root / f"x{key}" / key),
}


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_no_entrance_touches_a_file_for_such_a_key(ingested_world: Path, entrance: str) -> None:
    store = worlds.store_of(ingested_world / "config.yaml")
    keys = [key for key in EVIL if entrance != "part_name" or ("/" not in key and key not in {"", ".", ".."})]
    for key in keys:
        with audited() as events, pytest.raises(UserError, match="a part's name is 1 to 64 of the characters") as error:
            ENTRANCES[entrance](store, key)
        assert events == [], key
        assert "\n" not in str(error.value)


def test_the_audit_sees_what_a_good_key_touches(ingested_world: Path) -> None:
    store = worlds.store_of(ingested_world / "config.yaml")
    with audited() as events:
        store.manifest("tweet_parts", "part-00001")
    assert events[0] == f"open {store.folder('tweet_parts', 'part-00001') / 'manifest.json'}"


@pytest.mark.parametrize("key", EVIL)
def test_such_a_key_is_neither_registered_nor_backfilled(ingested_world: Path, key: str) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(UserError, match="a part's name"):
            register_parts(instance, ["part-00000", key])
        assert instance.get_dynamic_partitions("part") == []
        if "*" not in key and "[" not in key:
            with pytest.raises(UserError, match="matches no part of tweet_parts"):
                backfill(Pipeline(config=str(ingested_world / "config.yaml")), instance, "tweet_parts", [key])


@pytest.mark.long
@pytest.mark.parametrize("name", [key for key in EVIL if key.startswith("part-") and not set("/\0") & set(key)])
def test_a_raw_file_of_such_a_name_is_refused(ingested: Path, name: str) -> None:
    part_of(ingested, name).write_bytes(part_of(ingested).read_bytes())
    with pytest.raises(UserError, match="a part's name"):
        ingest(ingested)


RUNS = """
import sys
import dagster as dg
from pathlib import Path
from engage_pipeline.definitions import build_definitions
from engage_pipeline.orchestration.resources import Pipeline
config, *keys = sys.argv[1:]
definitions = build_definitions(Pipeline(config=config))
with dg.DagsterInstance.local_temp(str(Path("home").absolute())) as instance:
    for key in keys:
        instance.add_dynamic_partitions("part", [key])
        done = definitions.resolve_job_def("ingest_parts").execute_in_process(
            instance=instance, partition_key=key, raise_on_error=False
        )
        (event,) = [one for one in done.all_node_events if one.is_step_failure]
        print(event.step_failure_data.user_failure_data.description)
"""
TRACED = [
    "../../evil",
    "part-00000/../../../evil",
    "/etc/evil",
    "part-'; DROP TABLE tweets; --",
    "part-*",
    "part-\nevil",
]


@pytest.mark.long
@pytest.mark.skipif(not can_trace(), reason="strace is not installed, or may not be used")
def test_a_run_over_such_partitions_opens_nothing_for_them(ingested: Path, tmp_path: Path) -> None:
    """Keys added to Dagster by hand, past register_parts. All that is written lies in the world, and no path is of a
    key."""
    world = ingested.parent
    for name in ("home", "tmp", "evil"):
        (world / name).mkdir()
    before = {path: path.read_bytes() for path in (world / "data").rglob("*") if path.is_file()}
    environment = {
        **os.environ,
        "HOME": str(world / "home"),
        "DAGSTER_HOME": str(world / "home"),
        "TMPDIR": str(world / "tmp"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-c", RUNS, str(ingested), *TRACED]
    output, opened = trace(command, tmp_path / "trace", cwd=world, env=environment)
    said = output.splitlines()
    assert len(said) == len(TRACED)
    assert all("a part's name is 1 to 64 of the characters" in line for line in said)
    outside = {path for path in opened.changed if not path.is_relative_to(world)}
    assert outside <= {Path("/dev/null"), Path("/dev/tty")}, outside
    assert opened.read
    assert not [path for path in opened.read | opened.changed if "evil" in str(path) or "DROP" in str(path)]
    assert not [path for path in opened.read if path.is_relative_to(world / "raw" / "train")]
    assert {path: path.read_bytes() for path in (world / "data").rglob("*") if path.is_file()} == before
