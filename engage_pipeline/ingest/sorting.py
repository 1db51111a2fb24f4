"""Lines in the order of their tweets: DuckDB sorts them, and spills what its memory limit can't hold."""

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
"""What typed rows are sorted by: tweet_id and line_number, or line_number, in which they come anyway."""
_MAX_BYTES = 1 << 28
_TWEET_ID = 2


def sorted_by_tweet(
    engine: DuckDBEngine, blocks: Iterable[LineBlock], columns: int
) -> Generator[LineBlock, None, None]:
    """The lines of all `blocks`, none of them shortened, which have `columns` columns, ordered by tweet_id (by its
    bytes; missing ones last) and line number. Raises what reading the blocks raises."""
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
    """The blocks as DuckDB reads them. It reports an error of its input as one of its own: `failure` is the first."""

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
    """The lines with their ends, and where their columns end, counted from where the line begins."""
    n = len(block)
    bounds = np.append(block.starts, block.ends[-1, -1] + 1).astype(np.int32)
    lines = pa.Array.from_buffers(pa.binary(), n, [None, pa.py_buffer(bounds), pa.py_buffer(block.data)])
    relative = (block.ends - block.starts[:, None]).astype(np.int32)
    ends = pa.Array.from_buffers(schema.field("ends").type, n, [None, pa.py_buffer(relative)])
    return pa.record_batch([block.column(_TWEET_ID), pa.array(block.numbers), lines, ends], schema=schema)


def _blocks(batch: pa.RecordBatch, columns: int) -> Iterator[LineBlock]:
    """The lines of a batch, in several blocks where they are too long for one."""
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
