"""A raw part that is far larger than the memory it is given, made by DuckDB in a second."""

from pathlib import Path

import duckdb

_ROWS = """
SELECT
    '101' || chr(9)
        || array_to_string(list_transform(range(20 + i % 20), lambda k: (i * 31 + k * 17) % 90000 + 1000), chr(9))
        || chr(9) || '102',
    CASE WHEN i % 5 = 0 THEN md5('h' || i % 900) ELSE '' END,
    md5('t' || i % $tweets), '', '', '', ['TopLevel', 'Retweet', 'Quote'][i % 3 + 1], md5('l' || i % 60),
    1612396800 + (i * 7919) % 1814400,
    md5('u' || (i * 13) % $authors), i % 5000, i % 700, 'false', 1300000000 + i % 100000,
    md5('u' || (i * 29) % $viewers), i % 300, i % 400, 'false', 1300000000 + i % 90000,
    CASE WHEN i % 3 = 0 THEN 'true' ELSE 'false' END,
    CASE WHEN i % 34 = 0 THEN 1612396900 + (i * 7919) % 1814400 END,
    CASE WHEN i % 11 = 0 THEN 1612396900 + (i * 7919) % 1814400 END,
    CASE WHEN i % 140 = 0 THEN 1612396900 + (i * 7919) % 1814400 END,
    CASE WHEN i % 5 < 2 THEN 1612396900 + (i * 7919) % 1814400 END
FROM range($rows) AS numbers(i)
"""


def write_raw_part(path: Path, rows: int) -> Path:
    """`rows` interactions, about 450 bytes each, nearly all of their pairs different; returns `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(
            f"COPY ({_ROWS}) TO $path (FORMAT csv, HEADER false, DELIMITER '\x01', QUOTE '', ESCAPE '')",
            {"rows": rows, "tweets": rows // 3, "authors": rows // 8, "viewers": rows // 4, "path": str(path)},
        )
    return path
