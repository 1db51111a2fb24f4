"""The Parquet file of features: its encodings and compression; and how it is read with the tweets beside it.

A model reads the token ids of a row, too. They are more than half of the bytes of its features, so that they are not
written again: the file of the tweets, of which the features are made, has a second name beside the features (ADR 61).
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.engines.engine import ROW_GROUP_ROWS
from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.files.parquet import batches, group_ends, open_coded
from engage_pipeline.schema import ENGAGEMENT_DAY, LINE_NUMBER, TOKEN_COLUMNS
from engage_pipeline.store.file_names import tweets_beside

Write = Callable[[pa.Table], None]


@contextmanager
def feature_file(output: Path, schema: pa.Schema, *, aside: bool) -> Iterator[Write]:
    """Yields a function that appends a table of `schema` to the Parquet file `output`; texts may be dictionaries.

    `aside`: write in another thread, at most one table behind.
    """
    with _parquet_writer(output, schema) as writer, ThreadPoolExecutor(1) as thread:
        pending: list[Future[None]] = []

        def write(table: pa.Table) -> None:
            while pending:
                pending.pop().result()
            whole = _with_dictionaries(table, writer.schema)
            if aside:
                pending.append(thread.submit(writer.write_table, whole, ROW_GROUP_ROWS))
            else:
                writer.write_table(whole, ROW_GROUP_ROWS)

        yield write
        while pending:
            pending.pop().result()


def _with_dictionaries(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        column
        if column.type == field.type
        else column.cast(field.type)
        if not pa.types.is_dictionary(field.type)
        else column.dictionary_encode().cast(field.type)
        for column, field in zip(table.columns, schema, strict=True)
    ]
    return pa.table(columns, schema=schema)


def _parquet_writer(output: Path, schema: pa.Schema) -> pq.ParquetWriter:
    # BYTE_STREAM_SPLIT stores the first bytes of all numbers, then the second ones, and so on. Most counters are small,
    # so zstd makes this about as small as a dictionary, in half the time.
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    coded = [
        field.with_type(pa.dictionary(pa.int32(), pa.string())) if field.name in texts else field for field in schema
    ]
    encodings = {field.name: "BYTE_STREAM_SPLIT" for field in schema if field.type in {pa.int32(), pa.int64()}}
    return pq.ParquetWriter(
        output,
        pa.schema(coded),
        compression="zstd",
        compression_level=1,
        use_dictionary=[*texts, *(field.name for field in schema if pa.types.is_float64(field.type))],
        column_encoding=encodings,
        write_statistics=[LINE_NUMBER, ENGAGEMENT_DAY],
        store_schema=False,
    )


def put_tweets_beside(features: Path, tweets: Path) -> None:
    """Gives the published file `tweets` a second name beside the file of its `features`, which FeatureFile reads."""
    beside = _beside(features)
    beside.unlink(missing_ok=True)  # of a task that is done again
    atomic.share(tweets, beside)


def _beside(features: Path) -> Path:
    return features.with_name(tweets_beside(features.name))


class FeatureFile:
    """The rows that a model reads: a Parquet file of features, and the tweets beside it for columns that it lacks.

    It is read as a pyarrow.parquet.ParquetFile is; a context manager.
    """

    def __init__(self, path: Path, coded: Collection[str] = ()) -> None:
        """Opens the file of features; its columns of text `coded` are read as dictionaries if they are such."""
        self._path = path
        self._features = open_coded(path, coded)
        self.metadata: pq.FileMetaData = self._features.metadata
        self._own = {*self._features.schema_arrow.names}

    def __enter__(self) -> Self:
        """The open file."""
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        """Closes both files."""
        self._features.close()
        if "_tweets" in self.__dict__:
            self._tweets.close()

    @property
    def num_row_groups(self) -> int:
        """The number of row groups."""
        return int(self.metadata.num_row_groups)

    @property
    def names(self) -> frozenset[str]:
        """The columns of the rows."""
        return frozenset({*self._own, *TOKEN_COLUMNS})

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Returns all rows; `columns` None = all. Raises UserError if the tweets are not those of the features."""
        own, beside = self._apart(columns)
        table = self._features.read(columns=own)
        return _side_by_side(table, self._tweets.read(columns=beside)) if beside else table

    def read_row_group(self, group: int, columns: Sequence[str] | None = None) -> pa.Table:
        """Returns the rows of a row group; `columns` None = all. Raises UserError as `read` does."""
        own, beside = self._apart(columns)
        table = self._features.read_row_group(group, columns=own)
        return _side_by_side(table, self._tweets.read_row_group(group, columns=beside)) if beside else table

    def iter_batches(
        self, batch_size: int, *, row_groups: Sequence[int], columns: Sequence[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yields the rows of row groups in batches; `columns` None = all. Raises UserError as `read` does."""
        own, beside = self._apart(columns)
        if not beside:
            yield from self._features.iter_batches(batch_size, row_groups=row_groups, columns=own)
            return
        rows = batches(self._features, batch_size, own, row_groups)
        for table, tokens in zip(rows, batches(self._tweets, batch_size, beside, row_groups), strict=True):
            yield from _side_by_side(table, tokens).to_batches()

    @cached_property
    def _tweets(self) -> pq.ParquetFile:
        path = _beside(self._path)
        try:
            tweets = pq.ParquetFile(path)
        except FileNotFoundError as error:
            raise UserError(f"{path}: not there; the token ids of {self._path.name} are read from it") from error
        if not np.array_equal(group_ends(tweets.metadata), group_ends(self.metadata)):
            raise UserError(f"{path}: its rows are not those of {self._path.name}; make the features again")
        return tweets

    def _apart(self, columns: Sequence[str] | None) -> tuple[Sequence[str] | None, list[str]]:
        """Returns which of `columns` are read of the features, None = all, and which of the tweets."""
        beside = [name for name in columns or TOKEN_COLUMNS if name in TOKEN_COLUMNS and name not in self._own]
        return columns and [name for name in columns if name not in beside], beside


def _side_by_side(rows: pa.Table, tokens: pa.Table) -> pa.Table:
    for field, column in zip(tokens.schema, tokens.columns, strict=True):
        rows = rows.append_column(field, column)
    return rows
