"""The rows of a Parquet part, a few pages of each column at a time, as the lines that the text format would have.

Columns are found by name. A row with a value that no text can hold is rejected here, any other problem is found where
lines are read (typed_rows). What does not belong here: the text of a value (parquet_columns).
"""

import logging
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engage_pipeline.errors import UserError
from engage_pipeline.files.parquet import batches
from engage_pipeline.files.raw_parts import PARQUET
from engage_pipeline.ingest.parsing.line_rules import MAX_LINE_BYTES
from engage_pipeline.ingest.parsing.lines import LineBlock
from engage_pipeline.ingest.parsing.parquet_columns import (
    Flags,
    Problem,
    accepts,
    as_bytes,
    line_at,
    line_blocks,
    not_utf8,
    texts_of,
)
from engage_pipeline.ingest.parsing.text_tokens import TextTokenizer
from engage_pipeline.ingest.parsing.typed_rows import LABEL_IS_A_TIME
from engage_pipeline.ingest.rejects import Reject
from engage_pipeline.locations.location import Location
from engage_pipeline.plurals import closest
from engage_pipeline.progress import progress
from engage_pipeline.schema import (
    COLUMN_NAMES,
    COLUMNS,
    LABELS,
    N_TEST_COLUMNS,
    TEXT_TOKENS,
    Column,
    Kind,
)
from engage_pipeline.settings.settings import Settings

LOGGER = logging.getLogger("engage_pipeline")
MAGIC = b"PAR1"
TEXT = "text"
"""A column of plain text, read if there is no column of token ids."""
REQUIRED = ("tweet_id", "tweet_timestamp", "engaged_with_user_id", "engaging_user_id")
"""Columns without which no row means anything; others may be missing, and are then missing in every row."""
_BATCH_ROWS = 4096
_READ_BYTES = 1 << 18
"""Read of a column at a time; else a row group would be held whole."""
_REQUEST_BYTES = 1 << 20
"""The same of an object, where each read is a request."""
_told: set[tuple[tuple[str, ...], tuple[str, ...]]] = set()
"""The missing columns and those not read of parts that a log line told of."""


class Rejects(Protocol):
    """Takes rejected rows (rejects.RejectWriter)."""

    def append(self, reject: Reject, /) -> None:
        """Adds one."""


def is_parquet(path: Location) -> bool:
    """Returns whether the file begins as Parquet does. Raises UserError: unreadable, or named Parquet and isn't."""
    try:
        with path.open("rb") if isinstance(path, Path) else path.open_raw() as file:
            start = file.read(len(MAGIC))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    if path.suffix == PARQUET and start != MAGIC:
        raise UserError(f"{path}: {'not a Parquet file' if start else 'the file is empty'}")
    return start == MAGIC


@contextmanager
def open_parquet(path: Location) -> Iterator[pq.ParquetFile]:
    """Opens a Parquet file. Raises UserError: it is damaged."""
    opened, size = (path, _READ_BYTES) if isinstance(path, Path) else (path.open_raw(), _REQUEST_BYTES)
    try:
        file = pq.ParquetFile(opened, buffer_size=size, pre_buffer=False, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise damaged(path, error) from error
    with file:
        yield file


def damaged(path: Location, error: Exception) -> UserError:
    """Returns the error that says that a Parquet file can't be read, and why."""
    return UserError(f"{path}: damaged Parquet file: {' '.join(str(error).split())[:200]}")


class ParquetRows:
    """The rows of one part. `lines` counts what `blocks` has read so far."""

    def __init__(
        self, part: Location, *, labelled: bool, rejects: Rejects, settings: Settings, new: bool = False
    ) -> None:
        """Reads nothing yet; `blocks` writes rows that no line can hold to `rejects`. `new`: as in require_columns."""
        self.lines, self._new = 0, new
        self._part, self._labelled, self._rejects, self._settings = part, labelled, rejects, settings
        self._columns = COLUMNS if labelled else COLUMNS[:N_TEST_COLUMNS]
        self._tokenizer: TextTokenizer | None = None

    def blocks(self) -> Generator[LineBlock]:
        """Reads the part and yields its rows as lines, in order.

        Raises UserError: unreadable, damaged or empty file, a column that is missing or has another type, labels in an
        unlabelled part, text without a tokenizer.
        """
        with open_parquet(self._part) as file, progress(f"read {self._part.name}", file.metadata.num_rows) as tracker:
            names = require_columns(self._part, file.schema_arrow, labelled=self._labelled, new=self._new)
            if TEXT in names:
                self._tokenizer = TextTokenizer(self._part, self._settings)
            for table in self._tables(file, names):
                yield from self._blocks(table)
                tracker.advance(len(table))
        if not self.lines:
            raise UserError(f"{self._part}: the file has no rows")

    def _tables(self, file: pq.ParquetFile, names: list[str]) -> Iterator[pa.Table]:
        try:
            yield from batches(file, _BATCH_ROWS, names)
        except (pa.ArrowException, OSError) as error:
            raise damaged(self._part, error) from error

    def _blocks(self, table: pa.Table) -> Iterator[LineBlock]:
        """Counts the rows of `table` and yields those that lines can hold."""
        numbers = np.arange(self.lines, self.lines + len(table))
        self.lines += len(table)
        arrays = {name: _one_array(table[name]) for name in table.column_names}
        if not self._labelled:
            _require_no_labels(self._part, arrays, int(numbers[0]))
        texts: list[pa.BinaryArray] = []
        problems: dict[str, Flags] = {}
        for column in self._columns:
            found, its = self._texts(column, arrays, len(table))
            texts.append(found)
            problems |= {f"{column.name}: {what}": rows for rows, what in its}
        length = sum(pc.binary_length(one).fill_null(0).to_numpy() for one in texts) + len(texts) - 1
        problems[f"length: more than {MAX_LINE_BYTES:,} bytes"] = length > MAX_LINE_BYTES
        good = np.ones(len(table), np.bool_)
        for reason, bad in problems.items():
            for place in np.flatnonzero(bad & good).tolist():
                self._rejects.append(Reject(int(numbers[place]), reason, line_at(texts, place)))
            good &= ~bad
        if not good.all():
            texts, numbers = [one.filter(pa.array(good)) for one in texts], numbers[good]
        yield from line_blocks(texts, numbers)

    def _texts(self, column: Column, arrays: Mapping[str, pa.Array], rows: int) -> tuple[pa.BinaryArray, list[Problem]]:
        """Returns the texts of a column, and their problems."""
        if column.name in arrays:
            return texts_of(arrays[column.name], column.kind)
        if column.kind is not Kind.TOKENS or self._tokenizer is None:
            return pa.nulls(rows, pa.binary()), []
        words = as_bytes(arrays[TEXT])
        bad = not_utf8(words)
        if bad is not None:
            words = pc.if_else(pa.array(bad), None, words)
        ids, problems = texts_of(self._tokenizer.ids(words.cast(pa.string())), Kind.TOKENS)
        return ids, problems if bad is None else [*problems, (bad, "a text that is invalid UTF-8")]


def check_test_part(part: Location) -> None:
    """Checks a test part before work that takes long: of a Parquet file the footer, the columns and the first labels.

    Raises UserError as `ParquetRows.blocks` does.
    """
    if not is_parquet(part):
        return
    with open_parquet(part) as file:
        require_columns(part, file.schema_arrow, labelled=False, new=True)
        labels = [name for name in LABELS if name in file.schema_arrow.names]
        try:
            rows = next(batches(file, _BATCH_ROWS, labels), None) if labels else None
        except (pa.ArrowException, OSError) as error:
            raise damaged(part, error) from error
    if rows is not None:
        _require_no_labels(part, {name: _one_array(rows[name]) for name in labels}, 0)


def _require_no_labels(part: Location, arrays: Mapping[str, pa.Array], first: int) -> None:
    """Raises UserError if one of the rows, which begin with row number `first` of the part, has a label."""
    for name in LABELS:
        if name in arrays:
            texts, _ = texts_of(arrays[name], Kind.INTEGER)
            if texts.null_count < len(texts):
                row = first + pc.index(texts.is_valid(), True).as_py()
                raise UserError(f"{part}: row {row} (from 0) has labels; a test part must have none")


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def require_columns(part: Location, schema: pa.Schema, *, labelled: bool, new: bool = False) -> list[str]:
    """Returns the names of the columns to read, of a part with the columns `schema`.

    Says once of `new` parts which columns are missing and which are not read. Raises UserError: a column that is
    missing, that occurs twice, or whose type can't be read.
    """
    kinds = {column.name: column.kind for column in COLUMNS}
    for name in REQUIRED:
        if name not in schema.names:
            raise UserError(f"{part}: no column {name}{_like(name, schema.names)}")
    if labelled and not set(LABELS).intersection(schema.names):
        raise UserError(f"{part}: none of the columns {', '.join(LABELS)}; is it a test part?")
    words = TEXT in schema.names and TEXT_TOKENS not in schema.names
    names = [name for name in COLUMN_NAMES if name in schema.names] + ([TEXT] if words else [])
    for name in names:
        if schema.names.count(name) > 1:
            raise UserError(f"{part}: column {name} occurs twice")
        type_, kind = schema.field(name).type, Kind.STRING if name == TEXT else kinds[name]
        if labelled and name in LABELS and pa.types.is_boolean(type_):
            raise UserError(f"{part}: column {name} holds {type_}, where {LABEL_IS_A_TIME}")
        if not accepts(kind, type_) or (name == TEXT and pa.types.is_integer(type_)):
            raise UserError(f"{part}: column {name} holds {type_}, which can't be read as {kind.value}")
    wanted = COLUMN_NAMES if labelled else COLUMN_NAMES[:N_TEST_COLUMNS]
    missing = tuple(name for name in wanted if name not in names and not (words and name == TEXT_TOKENS))
    if new:
        _tell_once(part.name, missing, tuple(name for name in schema.names if name not in names))
    return names


def _tell_once(part: str, missing: tuple[str, ...], others: tuple[str, ...]) -> None:
    """Logs the columns once per process for all parts that have the same, with the name of the first of them."""
    if (missing, others) in _told:
        return
    _told.add((missing, others))
    if missing:
        LOGGER.info("Parquet parts like %s: no columns %s: missing in every row", part, ", ".join(missing))
    if others:
        LOGGER.info("Parquet parts like %s: columns that are not read: %s", part, ", ".join(map(repr, others)))


def _like(name: str, names: list[str]) -> str:
    close = closest(name, (one for one in names if one not in COLUMN_NAMES))
    return f"; is it {close!r}?" if close else ""


class _Row:
    """Keeps the reject of one row."""

    def __init__(self, row: int) -> None:
        self.row = row
        self.reason: str | None = None

    def append(self, reject: Reject, /) -> None:
        if reject.line == self.row:
            self.reason = reject.reason


def read_row(part: Location, row: int, settings: Settings) -> bytes | None:
    """Returns the row number `row` as a line of the text format; None if there is none.

    The line has labels if the part has a column of them. Raises UserError: a row that no line can hold.
    """
    with open_parquet(part) as file:
        labelled = bool(set(LABELS).intersection(file.schema_arrow.names))
    kept = _Row(row)
    rows = ParquetRows(part, labelled=labelled, rejects=kept, settings=settings)
    for block in rows.blocks():
        place = np.flatnonzero(block.numbers == row)
        if len(place):
            return block.data.split(b"\n")[int(place[0])]
        if kept.reason is not None or block.numbers[-1] > row:
            break
    if kept.reason is not None:
        raise UserError(f"{part}: row {row} is rejected: {kept.reason}")
    return None
