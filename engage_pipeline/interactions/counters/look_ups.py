"""The loops that look counts up in the tables of a shard, compiled by numba.

`counts` are the columns of COUNTS of a table, int32 [ids] each; `result` is int32 [COUNTS, n], to which is added.
"""

import numpy as np

from engage_pipeline.interactions.shards.ranges import place_of
from engage_pipeline.numerics.compilation import compiled, compiled_within, prefetch

_LOWER_BITS = np.uint64(48)
_AHEAD = 16
"""So many rows ahead the processor is asked for what will be read: tables are larger than its caches."""


@compiled()
def find_ids(known: np.ndarray, known_checks: np.ndarray, hashes: np.ndarray, checks: np.ndarray) -> np.ndarray:
    """Returns where each of `hashes` uint64 [n] is in `known` uint64, which rises, int64 [n]; -1 where it is not.

    The upper 16 bits of `hashes` rise. An id whose check, uint16, differs is another id.
    """
    found = np.empty(len(hashes), np.int64)
    first = last = 0
    for number in range(len(hashes)):
        one = hashes[number]
        upper = one >> _LOWER_BITS
        if number == 0 or upper != hashes[number - 1] >> _LOWER_BITS:
            first = _reach(known, last, upper)
            last = _reach(known, first, upper + np.uint64(1))
        place = place_of(one, known, first, last)
        found[number] = place if place >= 0 and known_checks[place] == checks[number] else -1
    return found


@compiled_within()
def _reach(known: np.ndarray, place: int, upper: int) -> int:
    """Returns the first place, from `place` on, at which the upper bits are at least `upper`: in steps that double."""
    step = 1
    while place + step <= len(known) and known[place + step - 1] >> _LOWER_BITS < upper:
        place += step
        step *= 2
    high = min(place + step - 1, len(known))
    while place < high:
        middle = (place + high) >> 1
        if known[middle] >> _LOWER_BITS < upper:
            place = middle + 1
        else:
            high = middle
    return place


@compiled()
def add_counts(result: np.ndarray, rows: np.ndarray, places: np.ndarray, counts: tuple[np.ndarray, ...]) -> None:
    """Adds the counts at `places` int64 [k] to those of `rows` int64 [k]."""
    for number in range(len(rows)):
        ahead = places[min(number + _AHEAD, len(rows) - 1)]
        for count in range(len(counts)):
            prefetch(counts[count], ahead)
            result[count, rows[number]] += counts[count][places[number]]


@compiled()
def add_nested(
    result: np.ndarray,
    rows: np.ndarray,
    places: np.ndarray,
    wanted: np.ndarray,
    ends: np.ndarray,
    values: np.ndarray,
    counts: tuple[np.ndarray, ...],
) -> None:
    """Adds the counts of ids at `places` int64 [k] with the second values `wanted` uint64 [k] to those of `rows`.

    The `values` uint64 of the id at place i begin where those of the id before end, end before `ends` int32 [i], and
    rise.
    """
    last = len(rows) - 1
    for number in range(len(rows)):
        prefetch(ends, places[min(number + 2 * _AHEAD, last)])
        prefetch(values, ends[places[min(number + _AHEAD, last)]] - 1)
        one = places[number]
        place = place_of(wanted[number], values, ends[one - 1] if one else 0, ends[one])
        if place >= 0:
            for count in range(len(counts)):
                result[count, rows[number]] += counts[count][place]
