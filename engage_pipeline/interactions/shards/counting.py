"""Counts the rows of a shard by the keys of a side: one table for the side, and one nested below it for each key.

What does not belong here: which rows of a window are counted (counters.counting), and looking counts up
(counters.tables).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline.interactions.shards.files import SideRows
from engage_pipeline.interactions.shards.grouping import (
    COUNTS,
    Packing,
    Positions,
    lengths_of,
    numbered,
    order_of,
    starts_of,
    sums,
)
from engage_pipeline.interactions.shards.rows import Lists
from engage_pipeline.interactions.shards.sides import Side
from engage_pipeline.numerics.fingerprints import fingerprints
from engage_pipeline.numerics.sorting import argsort_hashes, taken
from engage_pipeline.settings.families import Key

_COUNTS = [pa.field(name, pa.int32()) for name in COUNTS]


class CollisionError(Exception):
    """Two ids have the same hash."""


def side_schema(side: Side) -> pa.Schema:
    """Returns the columns of a side's table: hash, check, the counts, and the end of its rows in each nested table."""
    ends = [pa.field(end_of(key), pa.int32()) for key in side.nested]
    return pa.schema([pa.field("hash", pa.uint64()), pa.field("check", pa.uint16()), *_COUNTS, *ends])


NESTED_SCHEMA = pa.schema([pa.field("value", pa.uint64()), *_COUNTS])
"""The columns of a nested table: the hash of the second value, ordered within each id, and the counts."""


def end_of(key: Key) -> str:
    """Returns the column of a side's table that says where the rows of each id end in the table of `key`."""
    return f"{key.name}_end"


def count_shard(rows: SideRows, side: Side, names: Mapping[str, Sequence[str]]) -> dict[str, pa.RecordBatch]:
    """Returns the tables of a shard by key, each ordered by hash; `names` are those of coded values.

    Raises CollisionError if two ids of the side have the same hash and different checks.
    """
    rows = rows.take(argsort_hashes(rows.hashes))
    starts = starts_of(rows.hashes)
    if len(starts) != len(starts_of(rows.hashes, rows.checks)):
        raise CollisionError(side.name)
    groups = numbered(starts, len(rows))
    most = int(lengths_of(starts, len(rows)).max(initial=0))
    packing = Packing.of(most)
    words = packing.words(rows.labels)
    found = {}
    own: list[Any] = [rows.hashes[starts], rows.checks[starts], *_counts(packing, words, starts)]
    for key in side.nested:
        lookup = fingerprints(pa.array(names[key.column], pa.string())).view(np.uint64) if key.few else None
        values, ends, counts = _nested(rows, groups, len(starts), key)
        if lookup is not None:
            values = lookup[values - np.uint16(1)]
        found[key.name] = _batch([values, *counts], NESTED_SCHEMA)
        own.append(ends)
    return {side.name: _batch(own, side_schema(side)), **found}


def _nested(
    rows: SideRows, groups: npt.NDArray[np.int32], count: int, key: Key
) -> tuple[npt.NDArray[Any], Positions, npt.NDArray[np.unsignedinteger]]:
    """Returns the distinct values of each group in order, the end of each group among them, and their counts."""
    values, labels = rows.values[key.column], rows.labels
    if isinstance(values, Lists):
        lengths = values.lengths()
        groups, labels, values = np.repeat(groups, lengths), np.repeat(labels, lengths), values.values
    else:
        known = np.flatnonzero(values)
        groups, labels, values = (taken(each, known) for each in (groups, labels, values))
    order = order_of(groups, values)
    groups, values = taken(groups, order), taken(values, order)
    starts = starts_of(groups, values)
    packing = Packing.of(int(lengths_of(starts, len(values)).max(initial=0)))
    counts = _counts(packing, packing.words(taken(labels, order)), starts)
    return values[starts], np.searchsorted(groups[starts], np.arange(count), side="right"), counts


def _counts(
    packing: Packing, words: list[npt.NDArray[np.uint64]], starts: Positions
) -> npt.NDArray[np.unsignedinteger]:
    return packing.unpacked(sums(words, starts))


def _batch(columns: Sequence[npt.NDArray[Any]], schema: pa.Schema) -> pa.RecordBatch:
    arrays = [
        pa.array(column.astype(field.type.to_pandas_dtype())) for column, field in zip(columns, schema, strict=True)
    ]
    return pa.record_batch(arrays, schema=schema)
