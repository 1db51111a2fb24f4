"""The counts that each row of a shard gets from the shard's rows of other folds.

Every key's total is added up, and the part of the row's own fold is taken off. Keys with few values are added up in
a table of each id (shards.table_sums); others are sorted. What does not belong here: reading a shard (shards.files),
and where the counts go (shards.way_back).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

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
from engage_pipeline.numerics.sorting import argsort_hashes, taken, unique_places
from engage_pipeline.settings.families import Key

Numbers = npt.NDArray[np.uint64]
Codes = npt.NDArray[np.int32]
Counted = npt.NDArray[np.unsignedinteger]
"""Counts of rows, [COUNTS, n]."""
_MOST_CELLS = 1 << 20
"""Largest table of an id's values and folds; the rows of a key with more are sorted."""


@dataclass(frozen=True)
class Pairs:
    """The rows of a nested key, sorted by id, value and fold: `order` [n] of the rows, `starts` of the pairs among them
    and `fold_starts` of the folds; `groups` and `values` of the pairs; `total` and `by_fold`, their counters."""

    order: Positions
    starts: Positions
    fold_starts: Positions
    groups: Codes
    values: npt.NDArray[Any]
    folds: Codes
    total: Counted
    by_fold: Counted


@dataclass(frozen=True)
class Shard:
    """Rows of a side, ordered by id, which begin at `starts`: `groups` int32 [n] numbers the ids, `folds` int32 [n] the
    folds, from 0."""

    rows: SideRows
    starts: Positions
    groups: Codes
    folds: Codes
    _pairs: dict[str, Pairs] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: SideRows) -> "Shard":
        """Orders the rows by id."""
        rows = rows.take(argsort_hashes(rows.hashes))
        starts = starts_of(rows.hashes)
        return cls(rows, starts, numbered(starts, len(rows)), _dense(rows.folds))

    def counts(self, side: Side, sizes: Mapping[str, int]) -> dict[str, Counted]:
        """Returns the counts of every row by key; `sizes` are the numbers of codes, by raw column."""
        found = {side.name: self._in_tables(np.ones(len(self.rows), np.uint16), 2)}
        for key in side.nested:
            values = self.rows.values[key.column]
            if isinstance(values, Lists):
                found[key.name] = self._of_lists(values)
            elif key.few and (sizes[key.column] + 1) * (self._n_folds + 1) <= _MOST_CELLS:
                found[key.name] = self._in_tables(values, sizes[key.column] + 1)
            else:
                found[key.name] = self.unsorted(self.pairs(key))
        return found

    @property
    def _n_folds(self) -> int:
        return int(self.folds.max(initial=-1)) + 1

    def _in_tables(self, values: npt.NDArray[Any], size: int) -> Counted:
        """Returns the counts of rows by `values` [n], which are less than `size`; zeros for rows without a value."""
        from engage_pipeline.interactions.shards.table_sums import sum_by_id

        packing = Packing.of(int(lengths_of(self.starts, len(self.rows)).max(initial=0)))
        words = packing.of_labels
        cells = np.zeros((size, self._n_folds + 1, len(words)), np.uint64)
        return packing.counters(sum_by_id(self.starts, values, self.folds, self.rows.labels, words, cells))

    def _of_lists(self, lists: Lists) -> Counted:
        """Returns the counts of rows with several values each: their sums."""
        lengths = lists.lengths()
        found = _sorted(
            np.repeat(self.groups, lengths), lists.values, np.repeat(self.folds, lengths),
            np.repeat(self.rows.labels, lengths),
        )  # fmt: skip
        each = _without_own_fold(found)
        result = np.zeros((len(COUNTS), len(self.rows)), np.uint32)
        some = np.flatnonzero(lengths)
        if len(some):
            by_entry = np.zeros_like(each)
            by_entry[:, found.order] = each
            starts = (lists.ends - lengths)[some]
            result[:, some] = np.add.reduceat(by_entry, starts, axis=1, dtype=np.uint32)
        return result

    def pairs(self, key: Key) -> Pairs:
        """Returns the rows of a nested key, sorted; rows without a value have the value 0."""
        values = self.rows.values[key.column]
        assert not isinstance(values, Lists)  # noqa: S101 - narrows the type for the checker
        if key.name not in self._pairs:
            self._pairs[key.name] = _sorted(self.groups, values, self.folds, self.rows.labels)
        return self._pairs[key.name]

    def unsorted(self, pairs: Pairs) -> Counted:
        """Returns the counts of every row from those of its pair; zeros for rows without a value."""
        each = _without_own_fold(pairs)
        each[:, np.repeat(pairs.values == 0, lengths_of(pairs.starts, len(pairs.order)))] = 0
        result = np.empty_like(each)
        result[:, pairs.order] = each
        return result


def _sorted(groups: Codes, values: npt.NDArray[Any], folds: Codes, labels: npt.NDArray[np.uint8]) -> Pairs:
    order = order_of(groups, values, folds)
    groups, values, folds = (taken(each, order) for each in (groups, values, folds))
    starts, fold_starts = starts_of(groups, values), starts_of(groups, values, folds)
    packing = Packing.of(int(lengths_of(starts, len(order)).max(initial=0)))
    by_fold = sums(packing.words(taken(labels, order)), fold_starts)
    total = sums(by_fold, np.searchsorted(fold_starts, starts))
    return Pairs(
        order, starts, fold_starts, groups[starts], values[starts], folds[fold_starts],
        packing.unpacked(total), packing.unpacked(by_fold),
    )  # fmt: skip


def _without_own_fold(pairs: Pairs) -> Counted:
    """Returns the counts of each row, in the order of the pairs."""
    of_fold = np.diff(np.append(np.searchsorted(pairs.fold_starts, pairs.starts), len(pairs.fold_starts)))
    left = np.repeat(pairs.total, of_fold, axis=1) - pairs.by_fold
    return np.repeat(left, lengths_of(pairs.fold_starts, len(pairs.order)), axis=1)


def _dense(folds: npt.NDArray[np.int32]) -> Codes:
    """Returns the number of each fold among those that occur, from 0."""
    return unique_places(folds.astype(np.int64))[1].astype(np.int32)
