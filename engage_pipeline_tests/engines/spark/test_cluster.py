"""Ingest and the interactions stage through the pipeline on a real cluster: the same artifacts as DuckDB's."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engage_pipeline.synthetic import synthesize
from engage_pipeline_tests import worlds
from engage_pipeline_tests.engines.spark.cluster import Cluster, standalone_cluster
from engage_pipeline_tests.engines.spark.helpers import CONF
from engage_pipeline_tests.engines.spark.twin import equal_files

# Seven Java processes on a few cores: a minute where they are idle, ten where they are not.
pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1800)]

PARTS = ["part-00000", "part-00001"]
STAGE = ["author_similarity", "interaction_features", "test_features", "user_communities", "validation_features"]
MADE: list[tuple[str, str | None]] = [
    *((name, part) for name in ("tweet_parts", "interaction_features") for part in PARTS),
    *((name, None) for name in ("interaction_counts", "validation_counts", *STAGE) if name != "interaction_features"),
]


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
def cluster_and_run(
    by_duckdb: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Cluster, Path, subprocess.CompletedProcess]:
    """The cluster, the configuration of the same world made by it, and the process that drove it."""
    folder = tmp_path_factory.mktemp("spark")
    shutil.copytree(by_duckdb.parent / "raw", folder / "raw")
    shutil.copy(worlds.REPOSITORY / "dagster.yaml", folder)
    with standalone_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        config = worlds.write_config(folder, engine={"kind": "spark", "spark_master": cluster.master})
        targets = [argument for name in STAGE for argument in ("--target", name)]
        command = [sys.executable, "-c", "from engage_pipeline.cli import main; main()", "run", *targets]
        environment = {**os.environ, "DAGSTER_HOME": str(folder), "SPARK_CONF_DIR": str(CONF)}
        environment["PYTHONPATH"] = str(worlds.REPOSITORY)
        done = subprocess.run(
            [*command, "--config", str(config)],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    return cluster, config, done


def test_the_artifacts_equal_those_of_duckdb(
    by_duckdb: Path, cluster_and_run: tuple[Cluster, Path, subprocess.CompletedProcess]
) -> None:
    _, config, done = cluster_and_run
    assert done.returncode == 0, done.stderr[-3000:]
    ours, theirs = worlds.store_of(by_duckdb), worlds.store_of(config)
    for name, key in MADE:
        mine, other = ours.open(name, key), theirs.open(name, key)
        assert sorted(other.manifest.files) == sorted(mine.manifest.files)
        for file in mine.manifest.files:
            equal_files(mine.path(file), other.path(file))
        measured = {"seconds", "peak_mb"}
        assert {k: v for k, v in other.manifest.facts.items() if k not in measured} == {
            k: v for k, v in mine.manifest.facts.items() if k not in measured
        }


def test_a_part_has_the_same_bytes(
    by_duckdb: Path, cluster_and_run: tuple[Cluster, Path, subprocess.CompletedProcess]
) -> None:
    for part in PARTS:
        versions = [
            worlds.store_of(config).open("tweet_parts", part).manifest.version
            for config in (by_duckdb, cluster_and_run[1])
        ]
        assert versions[0] == versions[1]


def test_both_workers_ran_executors(cluster_and_run: tuple[Cluster, Path, subprocess.CompletedProcess]) -> None:
    for worker in cluster_and_run[0].workers:
        (errors,) = worker.glob("app-*/*/stderr")
        assert "Finished task" in errors.read_text(encoding="utf-8")


def test_nothing_is_left_in_the_spill_folder(
    cluster_and_run: tuple[Cluster, Path, subprocess.CompletedProcess],
) -> None:
    assert list((cluster_and_run[1].parent / "data" / ".spill").iterdir()) == []
