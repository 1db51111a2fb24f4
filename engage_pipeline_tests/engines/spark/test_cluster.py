"""Ingest and the interactions stage on a real cluster: the same bytes as DuckDB's, with faults or without."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engage_pipeline.synthetic import synthesize
from engage_pipeline_tests import worlds
from engage_pipeline_tests.engines.spark.cluster import Cluster, standalone_cluster
from engage_pipeline_tests.engines.spark.helpers import CONF

# Seven Java processes on a few cores: a minute where they are idle, ten where they are not.
pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

PARTS = ["part-00000", "part-00001"]
STAGE = ["author_similarity", "interaction_features", "test_features", "user_communities", "validation_features"]
FEATURES = [("interaction_features", part) for part in PARTS]
MADE: list[tuple[str, str | None]] = [
    *(("tweet_parts", part) for part in PARTS),
    *FEATURES,
    *((name, None) for name in ("interaction_counts", "validation_counts", *STAGE) if name != "interaction_features"),
]
ENGAGE = ["-c", "from engage_pipeline.cli import main; main()"]
OWN_WINDOW = "engage_pipeline.interactions.features.own_window"
PUBLISHING = "engage_pipeline.interactions.features.part_publishing"


@pytest.fixture(scope="module")
def by_duckdb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a world of two training parts whose interactions stage DuckDB made."""
    folder = tmp_path_factory.mktemp("duckdb")
    synthesize(folder / "raw", rows=1200, users=150, parts=len(PARTS), seed=3)
    shutil.copy(worlds.REPOSITORY / "dagster.yaml", folder)
    config = worlds.write_config(folder)
    for name in STAGE:
        worlds.run(config, name)
    return config


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with standalone_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def by_spark(by_duckdb: Path, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of the same world made by the cluster."""
    folder = tmp_path_factory.mktemp("spark")
    shutil.copytree(by_duckdb.parent / "raw", folder / "raw")
    return run_on(cluster, folder, ENGAGE, STAGE)


def run_on(cluster: Cluster, folder: Path, program: list[str], targets: list[str]) -> Path:
    """Makes the targets in the world `folder`, driven by the Python `program`; returns the configuration."""
    shutil.copy(worlds.REPOSITORY / "dagster.yaml", folder)
    config = worlds.write_config(folder, engine={"kind": "spark", "spark_master": cluster.master})
    wanted = [argument for name in targets for argument in ("--target", name)]
    environment = {**os.environ, "DAGSTER_HOME": str(folder), "SPARK_CONF_DIR": str(CONF)}
    environment["PYTHONPATH"] = str(worlds.REPOSITORY)
    done = subprocess.run(
        [sys.executable, *program, "run", *wanted, "--config", str(config)],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return config


def assert_same(by_duckdb: Path, by_spark: Path, made: list[tuple[str, str | None]]) -> None:
    """Compares the bytes of all files, and the facts."""
    ours, theirs = worlds.store_of(by_duckdb), worlds.store_of(by_spark)
    measured = {"seconds", "peak_mb"}
    for name, key in made:
        mine, other = ours.open(name, key).manifest, theirs.open(name, key).manifest
        assert other.files == mine.files, (name, key)
        facts = [{k: v for k, v in each.facts.items() if k not in measured} for each in (mine, other)]
        assert facts[0] == facts[1], (name, key)


def test_the_bytes_equal_those_of_duckdb(by_duckdb: Path, by_spark: Path) -> None:
    assert_same(by_duckdb, by_spark, MADE)


def test_both_workers_ran_executors(cluster: Cluster, by_spark: Path) -> None:
    for worker in cluster.workers:
        logs = [path.read_text(encoding="utf-8") for path in worker.glob("app-*/*/stderr")]
        assert any("Finished task" in log for log in logs)


def test_nothing_is_left_in_the_spill_folder(by_spark: Path) -> None:
    assert list((by_spark.parent / "data" / ".spill").iterdir()) == []


@pytest.mark.parametrize("fault", ["killed", "failed"])
def test_a_fault_in_shards_and_in_publishing_changes_nothing(
    by_duckdb: Path, cluster: Cluster, tmp_path: Path, fault: str
) -> None:
    """The executor is killed, or the task fails, when the work is done and not yet reported: all of it comes twice."""
    folder, faults = tmp_path / "world", tmp_path / "faults"
    faults.mkdir()
    worlds.copy_world(by_duckdb.parent, folder)
    shutil.rmtree(worlds.store_of(folder / "config.yaml").folder("interaction_features", PARTS[0]).parent)
    places = [f"{fault}={OWN_WINDOW}:_work", f"{fault}={PUBLISHING}:_publish"]
    program = ["-m", "engage_pipeline_tests.engines.spark.faults", str(faults), *places, "--"]
    config = run_on(cluster, folder, program, ["interaction_features"])
    assert len(list(faults.iterdir())) == len(places)
    assert_same(by_duckdb, config, list(FEATURES))
    assert list((folder / "data" / ".spill").iterdir()) == []
