"""A part among many: copies of its tweets by other people, about other things."""

from collections.abc import Iterator
from pathlib import Path

import duckdb

from engage_pipeline.engines.engine import ROW_GROUP_ROWS

_COPY = """
SELECT * REPLACE (
    md5(tweet_id || $copy) AS tweet_id,
    md5(engaged_with_user_id || $copy) AS engaged_with_user_id,
    md5(engaging_user_id || $copy) AS engaging_user_id,
    list_transform(hashtags, lambda tag: md5(tag || $copy)) AS hashtags
)
FROM read_parquet($path)"""


def write_crowd(tweets: Path, folder: Path, copies: int) -> Iterator[Path]:
    """Writes `copies` copies of the Parquet file `tweets` to `folder`, each with ids of its own; yields their paths."""
    options = f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE {ROW_GROUP_ROWS}"
    with duckdb.connect() as connection:
        for copy in range(copies):
            path = folder / f"copy-{copy}.parquet"
            values = {"path": str(tweets), "copy": str(copy), "output_path": str(path)}
            connection.execute(f"COPY ({_COPY}) TO $output_path ({options})", values)
            yield path
