"""Plain lines as Arrow's columns: room for the compiled loops, and copies of what they found.

What does not belong here: the loops (plain_lines), and lines that are not plain (typed_rows).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from engage_pipeline.ingest.parsing import plain_lines
from engage_pipeline.ingest.parsing.line_rules import NO_LABELS
from engage_pipeline.ingest.parsing.lines import Positions
from engage_pipeline.ingest.parsing.plain_lines import PADDING
from engage_pipeline.ingest.parsing.values import LAST_DAY, SECONDS_A_DAY, Flags, is_utf8
from engage_pipeline.numerics.token_bytes import token_columns
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
Ends = npt.NDArray[np.int32]


@dataclass(frozen=True)
class PlainRows:
    """What was read of some lines.

    `rows`, n: all columns of typed tweets but line number and split; `places`, int64 (n,): the place of each row's line
    among all lines; `odd`, int64 (k, 3): of each line that is not plain, nor blank, its place, start and end, in order;
    `blank`: the number of blank lines.
    """

    rows: pa.RecordBatch
    places: Positions
    odd: Positions
    blank: int


class PlainReader:
    """Reads lines of one kind of part; only room to work in is kept from one call to the next."""

    def __init__(self, *, labelled: bool) -> None:
        """`labelled`: whether lines have the times of the engagements."""
        self._labelled = labelled
        self._columns = COLUMNS if labelled else COLUMNS[:N_TEST_COLUMNS]
        self._make_room(_LEAST_BYTES, 0)

    def read(self, lines: bytes, most: int) -> PlainRows:
        """Reads `lines`, which are at most `most`, each with a line feed behind it."""
        if len(lines) > self._size or most > self._most:
            self._make_room(max(len(lines), self._size), max(2 * most, self._most))
        self._data[: len(lines)] = np.frombuffer(lines, np.uint8)
        n_rows, n_others, blank = plain_lines.find_columns(
            self._data, self._words, len(lines), not self._labelled, self._ends, self._places, self._others
        )
        ends, places = self._ends[:n_rows], self._places[:n_rows].copy()
        odd = np.zeros(n_rows, np.bool_)
        rows = self._read(ends, not is_utf8(lines), odd)
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
        self._item_bounds, self._tokens = np.zeros(size + 1, np.int32), np.empty(size // 2 + 1, np.int32)

    def _read(self, ends: Ends, only_ascii: bool, odd: Flags) -> pa.RecordBatch:
        found: dict[str, pa.Array] = {}
        for index, column in enumerate(self._columns):
            if column.kind is Kind.TOKENS:
                bounds = _bounds(len(ends))
                plain_lines.read_tokens(self._words, ends, index, bounds, self._tokens, odd)
                low, high = token_columns(bounds.astype(np.int64), self._tokens[: bounds[-1]])
                found |= {TEXT_TOKENS: low, TEXT_TOKENS_HIGH: high}
            elif column.kind in {Kind.STRING, Kind.STRINGS}:
                found[column.name] = self._strings(ends, index, column.kind, only_ascii, odd)
            else:
                found[column.name] = self._numbers(ends, index, column.kind, odd)
        found[ENGAGEMENT_DAY] = _days(found, odd)
        return pa.RecordBatch.from_pydict(found)

    def _numbers(self, ends: Ends, index: int, kind: Kind, odd: Flags) -> pa.Array:
        """Reads a column of integers or booleans."""
        loop = plain_lines.read_integers if kind is Kind.INTEGER else plain_lines.read_booleans
        values: np.ndarray = np.empty(len(ends), np.int64 if kind is Kind.INTEGER else np.bool_)
        there = np.empty(len(ends), np.bool_)
        loop(self._words, ends, index, values, there, odd)
        return pa.array(values, mask=None if there.all() else ~there)

    def _strings(self, ends: Ends, index: int, kind: Kind, only_ascii: bool, odd: Flags) -> pa.Array:
        """Reads a column of texts, missing where they are empty, or of lists of texts."""
        bounds = _bounds(len(ends))
        if kind is Kind.STRING:
            plain_lines.read_texts(self._words, ends, index, only_ascii, bounds, self._text_words, odd)
            return self._texts_of(bounds, np.diff(bounds) > 0)
        found = self._item_bounds
        plain_lines.read_lists(self._words, ends, index, only_ascii, bounds, found, self._text_words, odd)
        return pa.ListArray.from_arrays(pa.array(bounds), self._texts_of(found[: bounds[-1] + 1].copy()))

    def _texts_of(self, bounds: npt.NDArray[np.int32], there: Flags | None = None) -> pa.StringArray:
        valid = None if there is None or there.all() else pa.py_buffer(np.packbits(there, bitorder="little"))
        data = pa.py_buffer(self._texts[: bounds[-1]].copy())
        return pa.Array.from_buffers(pa.string(), len(bounds) - 1, [valid, pa.py_buffer(bounds), data])


def _days(columns: dict[str, pa.Array], odd: Flags) -> pa.Int32Array:
    """Returns the day of the latest engagement, else of the tweet, else 0; rows whose day exceeds 32 bits are odd."""
    times = [columns[name] for name in LABELS if name in columns]
    latest = [pc.max_element_wise(*times)] if times else []
    seconds = pc.coalesce(*latest, columns[TWEET_TIMESTAMP], pa.scalar(0, pa.int64()))
    days = seconds.to_numpy() // SECONDS_A_DAY
    odd |= (days < -LAST_DAY - 1) | (days > LAST_DAY)
    return pa.array(days.astype(np.int32))


def _bounds(rows: int) -> npt.NDArray[np.int32]:
    return np.zeros(rows + 1, np.int32)


def _words(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """Returns the 8 bytes from each byte on as a number, for all but the last."""
    return np.ndarray(len(data) - PADDING + 1, "<u8", data, strides=(1,))
