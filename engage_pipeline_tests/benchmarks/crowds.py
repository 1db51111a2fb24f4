"""Counters of a window in which as many others were counted too: what a part's rows are looked up in."""

from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from engage_pipeline.engines.engine import ROW_GROUP_ROWS

_NUMBERS = """
SELECT CASE WHEN i = 0 THEN id ELSE md5(id || i) END AS id, CAST(number * $times + i AS INT) AS number
FROM read_parquet($path), range($times) AS others(i)
ORDER BY number"""
_COUNTS = """
SELECT
    CAST(CASE WHEN $language THEN key ELSE key * $times + i END AS INT) AS key,
    CAST(CASE WHEN viewer = 0 THEN 0 ELSE viewer * $times + i END AS INT) AS viewer,
    * EXCLUDE (key, viewer, i)
FROM read_parquet($path), range($times) AS others(i)
ORDER BY ALL"""
_ROWS = "SELECT * FROM read_parquet($path)"


def write_crowd(counts: Path, output: Path, times: int) -> None:
    """Writes the files of the folder `counts`, which counting wrote, to the folder `output`, with `times` times the
    rows. The ids of `counts` are among them with their counts; the others are those of users and hashtags between
    them, so that what a part looks up is spread over all rows, as in a large window."""
    options = f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE {ROW_GROUP_ROWS}"
    with duckdb.connect() as connection:
        for path in counts.glob("*.parquet"):
            counted, numbered = "key" in pq.read_schema(path).names, path.stem.endswith("_numbers")
            select = _COUNTS if counted else _NUMBERS if numbered else _ROWS
            values = {"path": str(path), "output_path": str(output / path.name)}
            values |= {"times": times} if counted or numbered else {}
            values |= {"language": "language" in path.stem} if counted else {}
            connection.execute(f"COPY ({select}) TO $output_path ({options})", values)
