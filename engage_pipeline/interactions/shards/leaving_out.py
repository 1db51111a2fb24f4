"""The counts that each row of a shard gets from the shard's rows of other folds.

Every key's total is added up, and the part of the row's own fold is taken off. Keys with few values are added up in
tables; others are sorted. What does not belong here: reading a shard (shards.files), and where the counts go
(shards.way_back).
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
_CELLS_A_ROW = 16
"""Largest size of a table, in cells a row; larger ones hold only the cells that occur."""


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
    """Rows of a side, ordered by id: `groups` int32 [n] numbers the ids, `folds` int32 [n] the folds, from 0."""

    rows: SideRows
    groups: Codes
    folds: Codes
    _pairs: dict[str, Pairs] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: SideRows) -> "Shard":
        """Orders the rows by id."""
        rows = rows.take(argsort_hashes(rows.hashes))
        return cls(rows, numbered(starts_of(rows.hashes), len(rows)), _dense(rows.folds))

    def counts(self, side: Side, sizes: Mapping[str, int]) -> dict[str, Counted]:
        """Returns the counts of every row by key; `sizes` are the numbers of codes, by raw column."""
        found = {side.name: self._in_tables(self.groups.astype(np.int64), self.rows.labels)}
        for key in side.nested:
            values = self.rows.values[key.column]
            if isinstance(values, Lists):
                found[key.name] = self._of_lists(values)
            elif key.few:
                found[key.name] = self._of_codes(values, sizes[key.column] + 1)
            else:
                found[key.name] = self.unsorted(self.pairs(key))
        return found

    def _of_codes(self, values: npt.NDArray[Any], size: int) -> Counted:
        codes = self.groups.astype(np.int64) * size + values
        counts = self._in_tables(codes, self.rows.labels)
        counts[:, values == 0] = 0
        return counts

    def _in_tables(self, codes: Positions, labels: npt.NDArray[np.uint8]) -> Counted:
        """Returns the counts of rows [n] whose keys are `codes`, without those of their own fold."""
        rows, folds = len(codes), int(self.folds.max(initial=0)) + 1
        codes = _compact(codes, rows)
        packing = Packing.of(int(np.bincount(codes, minlength=1).max()))
        own = _compact(codes * folds + self.folds, rows)
        words = []
        for word in packing.words(labels):
            total = np.zeros(int(codes.max(initial=-1)) + 1, np.uint64)
            np.add.at(total, codes, word)
            by_fold = np.zeros(int(own.max(initial=-1)) + 1, np.uint64)
            np.add.at(by_fold, own, word)
            words.append(taken(total, codes) - taken(by_fold, own))
        return packing.unpacked(words)

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


def _compact(codes: Positions, rows: int) -> Positions:
    """Returns other codes for the same groups, at most _CELLS_A_ROW times as many as rows."""
    if int(codes.max(initial=0)) < _CELLS_A_ROW * rows:
        return codes
    return unique_places(codes)[1]
