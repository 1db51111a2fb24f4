"""Plain lines as Arrow's columns: room for the compiled loops, and copies of what they found.

What does not belong here: the loops (plain_lines), and lines that are not plain (typed_rows).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline.ingest.parsing import plain_lines
from engage_pipeline.ingest.parsing.line_rules import NO_LABELS
from engage_pipeline.ingest.parsing.lines import Positions
from engage_pipeline.ingest.parsing.plain_lines import PADDING
from engage_pipeline.ingest.parsing.values import LAST_DAY, SECONDS_A_DAY, Flags, is_utf8
from engage_pipeline.numerics.sorting import argsort
from engage_pipeline.schema import (
    COLUMNS,
    ENGAGEMENT_DAY,
    LABELS,
    N_TEST_COLUMNS,
    TEXT_TOKENS,
    TEXT_TOKENS_HIGH,
    TWEET_TIMESTAMP,
    Kind,
)

_LEAST_BYTES = 4 << 20
_NEWLINE = ord("\n")
_NEVER = np.iinfo(np.int64).min
Ends = npt.NDArray[np.int32]
Marks = npt.NDArray[np.uint64]
Numbers = tuple[npt.NDArray[Any], Flags]


@dataclass(frozen=True)
class _Times:
    """The times of rows by column, as `_numbers` has them, and their days, int32 (n,)."""

    values: Sequence[Numbers]
    days: npt.NDArray[np.int32]

    @classmethod
    def of(cls, times: Sequence[Numbers], odd: Flags) -> "_Times":
        """Finds the day of the latest engagement, else of the tweet, which is the last of `times`, else 0; rows whose
        day exceeds 32 bits are `odd`."""
        *labels, (tweeted, _) = times
        latest, engaged = np.full(len(odd), _NEVER), np.zeros(len(odd), np.bool_)
        for values, there in labels:
            np.maximum(latest, values, out=latest, where=there)
            engaged |= there
        days = np.where(engaged, latest, tweeted) // SECONDS_A_DAY
        odd |= (days < -LAST_DAY - 1) | (days > LAST_DAY)
        return cls(times, days.astype(np.int32))

    def take(self, order: Positions) -> "_Times":
        """Returns the times of the rows `order`."""
        return _Times([(values[order], there[order]) for values, there in self.values], self.days[order])


@dataclass(frozen=True)
class PlainRows:
    """What was read of some lines.

    `rows`, n: all columns of typed tweets but line number and split, by line, or by day and line; `places`, int64 (n,):
    the place of each row's line among all lines; `odd`, int64 (k, 3): of each line that is not plain, nor blank, its
    place, start and end, in order; `blank`: the number of blank lines.
    """

    rows: pa.RecordBatch
    places: Positions
    odd: Positions
    blank: int


class PlainReader:
    """Reads lines of one kind of part; only room to work in is kept from one call to the next."""

    def __init__(self, *, labelled: bool, by_day: bool = False) -> None:
        """`labelled`: whether lines have the times of the engagements; `by_day`: whether rows are ordered by day."""
        self._labelled, self._by_day = labelled, by_day
        self._columns = COLUMNS if labelled else COLUMNS[:N_TEST_COLUMNS]
        names = [column.name for column in self._columns]
        self._times = [names.index(name) for name in (*LABELS, TWEET_TIMESTAMP) if name in names]
        self._make_room(_LEAST_BYTES, 0)

    def read(self, lines: bytes, most: int) -> PlainRows:
        """Reads `lines`, which are at most `most`, each with a line feed behind it."""
        if len(lines) > self._size or most > self._most:
            self._make_room(max(len(lines), self._size), max(2 * most, self._most))
        data = self._data[: len(lines)]
        data[:] = np.frombuffer(lines, np.uint8)
        n_rows, n_others, blank = plain_lines.find_columns(
            data, plain_lines.separators(data), not self._labelled, self._ends, self._places, self._others
        )
        ends, odd = self._ends[:n_rows], np.zeros(n_rows, np.bool_)
        times = _Times.of([self._numbers(ends, index, Kind.INTEGER, odd) for index in self._times], odd)
        places = self._places[:n_rows].copy()
        if self._by_day:  # the loops go to the lines in this order, so that no row need be moved
            order = argsort((times.days.astype(np.int64) + (LAST_DAY + 1)).astype(np.uint64))
            ends, odd, places, times = ends[order], odd[order], places[order], times.take(order)
        rows = self._read(ends, times, plain_lines.low_bytes(data), not is_utf8(lines), odd)
        others = self._others[:n_others].copy()
        if odd.any():
            stops = ends[:, -1] + len(NO_LABELS) * (self._data[ends[:, -1]] != _NEWLINE)
            others = np.concatenate([others, np.stack([places, ends[:, 0] + 1, stops], axis=1)[odd]])
            others = others[others[:, 0].argsort()]
            rows, places = rows.filter(pa.array(~odd)), places[~odd]
        return PlainRows(rows, places, others, blank)

    def _make_room(self, size: int, most: int) -> None:
        """Makes room for at most `most` lines of `size` bytes; what is not written to takes no memory."""
        self._size, self._most = size, most
        self._data, self._texts = np.empty(size + PADDING, np.uint8), np.empty(size + PADDING, np.uint8)
        self._words, self._text_words = _words(self._data), _words(self._texts)
        self._ends, self._places = np.empty((most, len(self._columns) + 1), np.int32), np.empty(most, np.int64)
        self._others = np.empty((most, 3), np.int64)
        self._item_bounds, self._low = np.zeros(size + 1, np.int32), np.empty(size // 2 + 1, np.uint16)
        self._high = np.empty(size // 2 + 1, np.uint8)

    def _read(self, ends: Ends, times: _Times, marks: Marks, only_ascii: bool, odd: Flags) -> pa.RecordBatch:
        found: dict[str, pa.Array] = {}
        read = dict(zip(self._times, times.values, strict=True))
        for index, column in enumerate(self._columns):
            if column.kind is Kind.TOKENS:
                found |= self._tokens(marks, ends, index, odd)
            elif column.kind in {Kind.STRING, Kind.STRINGS}:
                found[column.name] = self._strings(ends, index, column.kind, only_ascii, odd)
            else:
                values, there = read[index] if index in read else self._numbers(ends, index, column.kind, odd)
                found[column.name] = pa.array(values, mask=None if there.all() else ~there)
        found[ENGAGEMENT_DAY] = pa.array(times.days)
        return pa.RecordBatch.from_pydict(found)

    def _numbers(self, ends: Ends, index: int, kind: Kind, odd: Flags) -> Numbers:
        """Reads a column of integers or booleans: its values, 0 where missing, and whether each is there."""
        loop = plain_lines.read_integers if kind is Kind.INTEGER else plain_lines.read_booleans
        values: np.ndarray = np.empty(len(ends), np.int64 if kind is Kind.INTEGER else np.bool_)
        there = np.empty(len(ends), np.bool_)
        loop(self._words, ends, index, values, there, odd)
        return values, there

    def _strings(self, ends: Ends, index: int, kind: Kind, only_ascii: bool, odd: Flags) -> pa.Array:
        """Reads a column of texts, missing where they are empty, or of lists of texts."""
        bounds = _bounds(len(ends))
        if kind is Kind.STRING:
            plain_lines.read_texts(self._words, ends, index, only_ascii, bounds, self._text_words, odd)
            return self._texts_of(bounds, np.diff(bounds) > 0)
        found = self._item_bounds
        plain_lines.read_lists(self._words, ends, index, only_ascii, bounds, found, self._text_words, odd)
        return pa.ListArray.from_arrays(pa.array(bounds), self._texts_of(found[: bounds[-1] + 1].copy()))

    def _tokens(self, marks: Marks, ends: Ends, index: int, odd: Flags) -> dict[str, pa.Array]:
        """Reads a column of token ids as two binary ones."""
        bounds, high_bounds = _bounds(len(ends)), _bounds(len(ends))
        plain_lines.read_tokens(self._words, marks, ends, index, bounds, self._low, high_bounds, self._high, odd)
        return {
            TEXT_TOKENS: _array(pa.binary(), bounds, self._low.view(np.uint8)),
            TEXT_TOKENS_HIGH: _array(pa.binary(), high_bounds, self._high),
        }

    def _texts_of(self, bounds: npt.NDArray[np.int32], there: Flags | None = None) -> pa.StringArray:
        valid = None if there is None or there.all() else pa.py_buffer(np.packbits(there, bitorder="little"))
        return _array(pa.string(), bounds, self._texts, valid)


def _array(
    kind: pa.DataType, bounds: npt.NDArray[np.int32], data: npt.NDArray[np.uint8], valid: pa.Buffer | None = None
) -> pa.Array:
    """Returns an array of texts or bytes with a copy of the `data` within `bounds`."""
    buffers = [valid, pa.py_buffer(bounds), pa.py_buffer(data[: bounds[-1]].copy())]
    return pa.Array.from_buffers(kind, len(bounds) - 1, buffers)


def _bounds(rows: int) -> npt.NDArray[np.int32]:
    return np.zeros(rows + 1, np.int32)


def _words(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """Returns the 8 bytes from each byte on as a number, for all but the last."""
    return np.ndarray(len(data) - PADDING + 1, "<u8", data, strides=(1,))
