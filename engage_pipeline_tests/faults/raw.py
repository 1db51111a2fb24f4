"""A world whose parts are ingested, and faults put into its raw files."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from engage_pipeline.store.manifests import Manifest
from engage_pipeline_tests import worlds


def part_of(config: Path, name: str = "part-00001", kind: str = "train") -> Path:
    """A raw part of the world."""
    return config.parent / "raw" / kind / name


def copy_of(config: Path, folder: Path) -> Path:
    """The configuration of a copy of the world in `folder`."""
    worlds.copy_world(config.parent, folder)
    return folder / config.name


def ingest(config: Path, target: str = "tweet_parts") -> None:
    """What `engage run --target` makes."""
    worlds.run(config, target)


def manifest_of(config: Path, name: str = "part-00001", artifact: str = "tweet_parts") -> Manifest:
    """What is published of the part."""
    manifest = worlds.store_of(config).manifest(artifact, name)
    assert manifest is not None
    return manifest


def rejects_of(config: Path, name: str = "part-00001") -> list[dict[str, Any]]:
    """The rejected lines of a part, in order."""
    return pq.read_table(worlds.store_of(config).open("tweet_parts", name).path("rejects.parquet")).to_pylist()


def rows_of(config: Path, name: str = "part-00001") -> list[dict[str, Any]]:
    """The rows of a part by line."""
    table = pq.read_table(worlds.store_of(config).open("tweet_parts", name).path("tweets.parquet"))
    return sorted(table.to_pylist(), key=lambda row: row["line_number"])
