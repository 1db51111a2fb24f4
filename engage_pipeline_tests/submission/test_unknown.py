"""What the model never saw, counted by hand."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline.language.codes import CODES, code_schema
from engage_pipeline.submission.unknown import count_unknown
from engage_pipeline_tests.token_lists import token_arrays

TWEETS = [[101, 7, 8, 102], [101, 102], [101, 9, 102], [], None, [101, 8, 8, 8, 7, 102]]
LANGUAGES = ["en", "xx", None, "ja", "en", "yy"]
AUTHOR_SHOWN = [(0, 0), (1, 0), (0, 1), (0, 0), (2, 2), (5, 0)]
VIEWER_SHOWN = [(0, 0), (0, 0), (0, 0), (1, 0), (0, 1), (1, 1)]


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    columns = {
        "language": pa.array(LANGUAGES, pa.string()),
        **token_arrays(TWEETS),
        "author_exposures": pa.array([pair[0] for pair in AUTHOR_SHOWN], pa.int32()),
        "valid_author_exposures": pa.array([pair[1] for pair in AUTHOR_SHOWN], pa.int32()),
        "viewer_exposures": pa.array([pair[0] for pair in VIEWER_SHOWN], pa.int32()),
        "valid_viewer_exposures": pa.array([pair[1] for pair in VIEWER_SHOWN], pa.int32()),
    }
    paths = [tmp_path / "one.parquet", tmp_path / "two.parquet"]
    table = pa.table(columns)
    pq.write_table(table.slice(0, 4), paths[0], row_group_size=3)
    pq.write_table(table.slice(4), paths[1])
    return paths


def test_rows_and_tokens_that_were_never_seen(paths: list[Path], tmp_path: Path) -> None:
    codes = pa.table({"token": [7, 9], "codes": [[1, 2], [3, 4]]}, schema=code_schema(2))
    pq.write_table(codes, tmp_path / CODES)
    assert count_unknown(paths, ["en", "ja"], tmp_path / CODES) == {
        "new_author_rows": 2,
        "new_viewer_rows": 3,
        "unknown_language_rows": 3,
        "tokens": 7,  # 7 8, none, 9, 8 8 8 7
        "unknown_tokens": 4,  # each 8
    }


def test_without_an_encoder_no_token_is_sketched(paths: list[Path], tmp_path: Path) -> None:
    pq.write_table(code_schema(2).empty_table(), tmp_path / CODES)
    found = count_unknown(paths, ["en", "ja"], tmp_path / CODES)
    assert (found["tokens"], found["unknown_tokens"], found["new_author_rows"]) == (0, 0, 2)
