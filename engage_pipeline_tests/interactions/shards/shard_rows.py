"""Rows of a viewer's shard, made from short lists."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engage_pipeline.interactions.shards.files import SideRows
from engage_pipeline.interactions.shards.rows import Lists
from engage_pipeline.interactions.shards.sides import Side, sides_of
from engage_pipeline.settings.families import TRAINING, counted_keys

VIEWERS: Side = next(side for side in sides_of(counted_keys(TRAINING, ())) if side.name == "viewer")


@dataclass(frozen=True)
class Shown:
    """A row: hashes of viewer, author and hashtags (0 = missing), the code of the language (0 = missing)."""

    viewer: int
    fold: int
    labels: int
    author: int = 0
    language: int = 0
    hashtags: tuple[int, ...] = ()
    check: int = 0


def side_rows(rows: Sequence[Shown]) -> SideRows:
    """The rows as those of one file, in their order."""
    return SideRows(
        np.array([row.viewer for row in rows], np.uint64),
        np.array([row.check for row in rows], np.uint16),
        np.array([row.labels for row in rows], np.uint8),
        np.array([row.fold for row in rows], np.int32),
        np.arange(len(rows), dtype=np.uint32),
        {
            "engaged_with_user_id": np.array([row.author for row in rows], np.uint64),
            "language": np.array([row.language for row in rows], np.uint16),
            "hashtags": Lists(
                np.cumsum([len(row.hashtags) for row in rows], dtype=np.int64),
                np.array([tag for row in rows for tag in row.hashtags], np.uint64),
            ),
        },
        np.zeros(len(rows), np.int32),
    )
