"""Sorts lines by tweet; DuckDB does it and spills to disk beyond its memory limit."""

from collections.abc import Generator, Iterable, Iterator
from typing import Literal

import duckdb
import numpy as np
import pyarrow as pa

from engage_pipeline.engines.duckdb import DuckDBEngine
from engage_pipeline.engines.engine import statement
from engage_pipeline.ingest.parsing.blocks import LineBlock
from engage_pipeline.ingest.tweet_files import PIECE_ROWS

Order = Literal["tweet", "line"]
"""The order of typed rows: by tweet_id and line_number, or by line_number, the order in which they are read."""
_MAX_BYTES = 1 << 28
_TWEET_ID = 2


def sorted_by_tweet(
    engine: DuckDBEngine, blocks: Iterable[LineBlock], columns: int
) -> Generator[LineBlock, None, None]:
    """Yields the lines of all `blocks`, ordered by tweet_id (by its bytes, missing last) and line number.

    The lines have `columns` columns and none is shortened. Raises what reading the blocks raises.
    """
    feed = _Feed(blocks, columns)
    engine.connection.register("lines", feed.reader)
    try:
        for batch in engine.connection.sql(statement("ingest/sorted_lines.sql")).to_arrow_reader(PIECE_ROWS):
            yield from _blocks(batch, columns)
    except duckdb.Error:
        if feed.failure is not None:
            raise feed.failure from None
        raise
    finally:
        engine.connection.unregister("lines")


class _Feed:
    """The blocks as a reader for DuckDB. DuckDB hides errors of its input; `failure` is the original one."""

    def __init__(self, blocks: Iterable[LineBlock], columns: int) -> None:
        schema = pa.schema(
            {"tweet_id": pa.string(), "line_number": pa.int64(), "line": pa.binary(), "ends": pa.binary(4 * columns)}
        )
        self.failure: Exception | None = None
        self.reader = pa.RecordBatchReader.from_batches(schema, self._batches(blocks, schema))

    def _batches(self, blocks: Iterable[LineBlock], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        try:
            for block in blocks:
                yield _batch(block, schema)
        except Exception as error:
            self.failure = error
            raise


def _batch(block: LineBlock, schema: pa.Schema) -> pa.RecordBatch:
    """Converts a block to a batch; the ends of columns become relative to the beginning of their line."""
    n = len(block)
    bounds = np.append(block.starts, block.ends[-1, -1] + 1).astype(np.int32)
    lines = pa.Array.from_buffers(pa.binary(), n, [None, pa.py_buffer(bounds), pa.py_buffer(block.data)])
    relative = (block.ends - block.starts[:, None]).astype(np.int32)
    ends = pa.Array.from_buffers(schema.field("ends").type, n, [None, pa.py_buffer(relative)])
    return pa.record_batch([block.column(_TWEET_ID), pa.array(block.numbers), lines, ends], schema=schema)


def _blocks(batch: pa.RecordBatch, columns: int) -> Iterator[LineBlock]:
    """Yields the lines of a batch, in several blocks if they are too long for one."""
    n = len(batch)
    numbers = batch["line_number"].to_numpy()
    ends = np.frombuffer(batch["ends"].buffers()[2], dtype=np.int32, count=n * columns).reshape(n, columns)
    _, bounds, data = batch["line"].buffers()
    starts = np.frombuffer(bounds, dtype=np.int64, count=n + 1)
    first = 0
    while first < n:
        last = max(int(np.searchsorted(starts, starts[first] + _MAX_BYTES, side="right")) - 1, first + 1)
        low, high = int(starts[first]), int(starts[last])
        places = (starts[first:last, None] - low).astype(np.int32) + ends[first:last]
        yield LineBlock(data.slice(low, high - low), places, numbers[first:last])
        first = last
