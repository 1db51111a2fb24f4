"""DuckDB's spilled rows go, unless a run may need them."""

from pathlib import Path

import pytest

from engage_pipeline.engines.duckdb import DuckDBEngine
from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.machine.spill import (
    EFFECTS_PREFIX,
    EVALUATE_PREFIX,
    EXPLAIN_PREFIX,
    PREDICT_PREFIX,
    SHARDS_PREFIX,
    SPARK_PREFIX,
    remove_spilled,
    spill_folder,
)
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests.samples import tiny_settings


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tiny_settings(tmp_path / "data"))


def spill(store: ArtifactStore) -> Path:
    path = spill_folder(store.settings) / "duckdb_temp_storage_DEFAULT-0.tmp"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"rows")
    return path


def test_what_a_killed_run_left_goes_and_other_files_stay(store: ArtifactStore) -> None:
    left = spill(store)
    other = left.with_name("notes.txt")
    other.write_bytes(b"mine")
    remove_spilled(store.settings)
    assert not left.exists()
    assert other.exists()


@pytest.mark.parametrize(
    "prefix", [SPARK_PREFIX, SHARDS_PREFIX, EFFECTS_PREFIX, PREDICT_PREFIX, EXPLAIN_PREFIX, EVALUATE_PREFIX]
)
def test_the_rows_of_the_killed_go_and_those_of_one_at_work_stay(prefix: str, store: ArtifactStore) -> None:
    """A step keeps its rows in the spill folder, a command in working_dir."""
    folder = store.root if prefix.startswith(".") else spill_folder(store.settings)
    with atomic.scratch_folder(folder, prefix) as used:
        killed = used.with_name(f"{prefix}killed")
        killed.mkdir()
        (killed / ".lock").touch()
        remove_spilled(store.settings)
        assert used.is_dir()
        assert not killed.exists()


def test_nothing_goes_while_a_run_is_at_work(store: ArtifactStore) -> None:
    left = spill(store)
    with pytest.raises(RuntimeError), store.publish("test_tweets"):
        with pytest.raises(UserError, match=r"kept, because a run is active in .*test_tweets"):
            remove_spilled(store.settings)
        raise RuntimeError
    assert left.exists()
    remove_spilled(store.settings)
    assert not left.exists()


def test_a_file_that_a_process_has_open_stays(store: ArtifactStore) -> None:
    left = spill(store)
    with left.open("rb"):
        remove_spilled(store.settings)
    assert left.exists()


def test_the_engine_spills_where_we_look(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path / "data", engine={"threads": 1, "memory_limit": "30MB"})
    with DuckDBEngine(settings) as engine:
        engine.connection.execute(
            "CREATE TEMP TABLE numbers AS SELECT range AS n, md5(range::VARCHAR) AS t FROM range(1500000)"
        )
        engine.connection.execute("SELECT t FROM numbers ORDER BY t LIMIT 1 OFFSET 1000000").fetchall()
        assert list(spill_folder(settings).glob("duckdb_temp_*"))
