"""A tiny synthetic world with its configuration, for tests that run the pipeline for real."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from engage_pipeline.catalogue import ARTIFACTS, ancestry
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline.orchestration.running import run_pipeline
from engage_pipeline.settings.settings import load_settings
from engage_pipeline.store.plan import Step
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.synthetic import synthesize

REPOSITORY = Path(__file__).parents[1]
ROWS, USERS, PARTS = 4000, 500, 3
# 41 holdout rows can't tell whether a first model beats the constant rate.
TINY: dict[str, Any] = {
    "preset": "demo",
    "recsys_data": "raw/train",
    "validation_part": "raw/validation/part-00000",
    "test_data": "raw/test",
    "sketch_width": 16,
    "sketch_depth": 4,
    "encoder": {"tiny_dim": 8, "tiny_layers": 1, "max_tweets": 200, "max_tokens": 12, "batch_size": 64},
    "network": {"hidden_size": 16, "batch_size": 256, "epochs": 1},
    "effects": {"sweeps": 8},
    "trees": {"n_estimators": 20},
    "training_threads": 1,
    "engine": {"threads": 2, "memory_limit": "1GB"},
    "promotion": {"least_first_rce": None},
}


def copy_world(source: Path, folder: Path) -> None:
    """Copies a finished world without what those who work in it at this moment keep there for a while."""
    others = shutil.ignore_patterns(".predict-*", ".explain-*", ".spill")
    shutil.copytree(source, folder, symlinks=True, ignore=others, dirs_exist_ok=True)


def overlaid(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` over `base`, section by section."""
    merged = dict(base)
    for key, value in values.items():
        merged[key] = overlaid(merged[key], value) if isinstance(merged.get(key), dict) else value
    return merged


def write_config(folder: Path, **values: Any) -> Path:
    """config.yaml of the tiny world in `folder`, with `values` laid over it."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(overlaid(TINY, values)), encoding="utf-8")
    return path


def make_world(folder: Path, seed: int = 1) -> Path:
    """Raw parts, config.yaml and dagster.yaml in `folder`; returns the configuration."""
    synthesize(folder / "raw", rows=ROWS, users=USERS, parts=PARTS, seed=seed)
    shutil.copy(REPOSITORY / "dagster.yaml", folder)
    return write_config(folder)


def run(config: Path, target: str | None = None, instance: dg.DagsterInstance | None = None) -> list[Step]:
    """What `engage run` makes, in this process."""
    wanted = ARTIFACTS if target is None else ancestry(target)
    return run_pipeline(Pipeline(config=str(config)), instance or dg.DagsterInstance.ephemeral(), wanted)


def store_of(config: Path) -> ArtifactStore:
    """The artifacts that belong to the configuration."""
    return ArtifactStore(load_settings(config))
