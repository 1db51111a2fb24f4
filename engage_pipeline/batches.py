"""The rows of a Parquet file in batches, in memory that does not grow with the file."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq


def batches(file: pq.ParquetFile, rows: int, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Tables of `rows` rows each, the last one of what is left, in the order of the file; None = all columns.

    Row groups are read one at a time: over a whole file, pyarrow's own iteration holds the bytes of every group.
    """
    held: list[pa.RecordBatch] = []
    missing = rows
    for group in range(file.num_row_groups):
        for batch in file.iter_batches(rows, row_groups=[group], columns=columns):
            held.append(batch.slice(0, missing))
            missing -= held[-1].num_rows
            if missing == 0:
                yield pa.Table.from_batches(held).combine_chunks()
                rest = batch.slice(held[-1].num_rows)
                held = [rest] if rest.num_rows else []
                missing = rows - rest.num_rows
    if held:
        yield pa.Table.from_batches(held).combine_chunks()
