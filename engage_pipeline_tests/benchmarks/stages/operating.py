"""Stages that a person waits for: loading the definitions, and a run that has nothing to do."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from engage_pipeline.synthetic import synthesize
from engage_pipeline_tests.benchmarks.stages.stage import Done, Stage, Work
from engage_pipeline_tests.benchmarks.watched import with_bytecode
from engage_pipeline_tests.benchmarks.world import World

RUN_ROWS, RUN_USERS, RUN_PARTS = 4000, 400, 4


@contextmanager
def load_definitions(world: World) -> Iterator[Work]:
    """A new process that loads the definitions, as another did before."""
    command = [sys.executable, "-c", "from engage_pipeline.definitions import defs; defs.resolve_all_asset_specs()"]

    def work() -> Done:
        subprocess.run(command, check=True, env=_environment(world.folder))
        return Done(1)

    work()
    yield work


@contextmanager
def run_again(world: World) -> Iterator[Work]:
    """`engage run` where everything is up to date: the small demo, four parts."""
    folder = world.folder / "run_again"
    synthesize(folder / "raw", rows=RUN_ROWS, users=RUN_USERS, parts=RUN_PARTS, seed=1)
    settings = {
        "preset": "demo",
        "working_dir": "data",
        "recsys_data": "raw/train",
        "validation_part": "raw/validation/part-00000",
        "test_data": "raw/test",
        "encoder": {"max_tweets": 500},
        "engine": {"threads": world.threads},
        "promotion": {"least_first_rce": None},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    home = folder / "home"
    home.mkdir()
    environment = {**_environment(home), "ENGAGE_CONFIG": str(folder / "config.yaml")}
    command = [sys.executable, "-c", "from engage_pipeline.cli import main; main()", "run"]

    def run() -> None:
        subprocess.run(command, check=True, cwd=folder, env=environment, capture_output=True)

    run()

    def work() -> Done:
        run()
        return Done(1)

    yield work


def _environment(home: Path) -> dict[str, str]:
    return {**with_bytecode(), "DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "yes"}


STAGES: dict[str, Stage] = {"load_definitions": load_definitions, "run_again": run_again}
