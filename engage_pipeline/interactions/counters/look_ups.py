"""The loops that look counts up in the tables of all shards, compiled by numba.

A `table` is uint64 [1 + columns, shards]: how many ids each shard's batch holds, and where each of its columns lies in
memory (counters.tables). Of rows that were found those of shard i are `bounds` [i] to [i + 1], int64 [shards + 1].
`result` is int32 [COUNTS, n], to which is added.
"""

from typing import Any

import numpy as np

from engage_pipeline.interactions.shards.ranges import place_of
from engage_pipeline.numerics.compilation import array_at, compiled, compiled_within, prefetch

_LOWER_BITS = np.uint64(48)
_AHEAD = 16
"""So many rows ahead the processor is asked for what will be read: tables are larger than its caches."""
_LINE = 8
"""Ids in a line of its caches, of which three are asked for: where an id lies is known about so well."""
_STEP = 4
"""How far the first step from a guess goes."""


@compiled()
def find_ids(
    table: np.ndarray, buckets: int, order: np.ndarray, hashes: np.ndarray, checks: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the rows whose ids a table of ids has, and their places in the batch of their shard, int64 [found], and
    the `bounds`.

    The columns of `table` are ids, uint64, which rise from shard to shard, and their checks, uint16. A shard has ids of
    `buckets` values of the upper 16 bits. Those of `hashes` uint64 [n] rise. Hashes and `checks` are those of the rows
    `order` int64 [n]. An id whose check differs is another id.
    """
    rows, places = np.empty(len(hashes), np.int64), np.empty(len(hashes), np.int64)
    bounds = np.zeros(table.shape[1] + 1, np.int64)
    begin = found = 0
    for shard in range(table.shape[1]):
        end = begin
        while end < len(hashes) and hashes[end] >> _LOWER_BITS < np.uint64((shard + 1) * buckets):
            end += 1
        known, known_checks = _column(table, 0, shard, np.uint64), _column(table, 1, shard, np.uint16)
        place, last, ids_a_hash = 0, np.uint64(shard * buckets) << _LOWER_BITS, len(known) / (buckets * 2.0**48)
        for number in range(begin, end):
            one, then = hashes[number], hashes[min(number + _AHEAD, end - 1)]
            place = _first_from(one, known, place + _ids_between(last, one, ids_a_hash))
            ahead, last = place + _ids_between(one, then, ids_a_hash), one
            for near in range(ahead - _LINE, ahead + 2 * _LINE, _LINE):
                prefetch(known, near)
            prefetch(known_checks, ahead)
            if place < len(known) and known[place] == one and known_checks[place] == checks[number]:
                rows[found], places[found] = order[number], place
                found += 1
        begin, bounds[shard + 1] = end, found
    return rows[:found], places[:found], bounds


@compiled_within()
def _column(table: np.ndarray, number: int, shard: int, dtype: Any) -> np.ndarray:
    """Returns a column of a shard's batch."""
    return array_at(table[1 + number, shard], table[0, shard], dtype)


@compiled_within()
def _counts(table: np.ndarray, first: int, shard: int) -> tuple[np.ndarray, ...]:
    """Returns the columns of COUNTS of a shard's batch, int32: from the column `first` on."""
    return (
        _column(table, first, shard, np.int32),
        _column(table, first + 1, shard, np.int32),
        _column(table, first + 2, shard, np.int32),
        _column(table, first + 3, shard, np.int32),
        _column(table, first + 4, shard, np.int32),
        _column(table, first + 5, shard, np.int32),
    )


@compiled_within()
def _first_from(wanted: int, known: np.ndarray, guess: int) -> int:
    """Returns the first place of `known`, which rises, with at least `wanted`; from a guess on, steps double."""
    low = high = max(0, min(guess, len(known)))
    step = _STEP
    while low > 0 and known[low - 1] >= wanted:
        high = low - 1
        low = max(0, low - step)
        step *= 2
    while high < len(known) and known[high] < wanted:
        low = high + 1
        high = min(len(known), high + step)
        step *= 2
    while low < high:
        middle = (low + high) >> 1
        if known[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@compiled_within()
def _ids_between(one: int, other: int, ids_a_hash: float) -> int:
    """Returns about how many ids lie between two hashes; less than 0 if the `other` is lower."""
    return int((other - one) * ids_a_hash) if other > one else -int((one - other) * ids_a_hash)


@compiled()
def add_counts(result: np.ndarray, rows: np.ndarray, places: np.ndarray, bounds: np.ndarray, table: np.ndarray) -> None:
    """Adds the counts at `places` int64 [k] of a table of COUNTS to those of `rows` int64 [k]."""
    for shard in range(table.shape[1]):
        counts, last = _counts(table, 0, shard), bounds[shard + 1] - 1
        for number in range(bounds[shard], bounds[shard + 1]):
            ahead = places[min(number + _AHEAD, last)]
            for count in range(len(counts)):
                prefetch(counts[count], ahead)
                result[count, rows[number]] += counts[count][places[number]]


@compiled()
def add_nested(
    result: np.ndarray,
    rows: np.ndarray,
    places: np.ndarray,
    bounds: np.ndarray,
    wanted: np.ndarray,
    ends: np.ndarray,
    table: np.ndarray,
) -> None:
    """Adds the counts of ids at `places` int64 [k] with the second values `wanted` uint64 [k] to those of `rows`.

    `table` holds second values, uint64, and COUNTS. Those of the id at place i begin where those of the id before end,
    end before place i of the one column of `ends`, int32, and rise.
    """
    found = np.empty(_AHEAD, np.int64)
    for shard in range(table.shape[1]):
        stops, values = _column(ends, 0, shard, np.int32), _column(table, 0, shard, np.uint64)
        counts, last = _counts(table, 1, shard), bounds[shard + 1] - 1
        for begin in range(bounds[shard], bounds[shard + 1], _AHEAD):
            end = min(begin + _AHEAD, last + 1)
            for number in range(begin, end):
                prefetch(stops, places[min(number + 2 * _AHEAD, last)])
                prefetch(values, stops[places[min(number + _AHEAD, last)]] - 1)
                one = places[number]
                place = place_of(wanted[number], values, stops[one - 1] if one else 0, stops[one])
                found[number - begin] = place
                if place >= 0:
                    for count in range(len(counts)):
                        prefetch(counts[count], place)
            for number in range(begin, end):
                place = found[number - begin]
                if place >= 0:
                    for count in range(len(counts)):
                        result[count, rows[number]] += counts[count][place]
