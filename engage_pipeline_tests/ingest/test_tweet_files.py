"""The file of typed tweets: the same rows, the same bytes."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline.ingest import tweet_files
from engage_pipeline.ingest.tweet_files import TweetWriter
from engage_pipeline.schema import tweet_schema

SCHEMA = tweet_schema(labelled=True)


def rows(count: int) -> pa.RecordBatch:
    rng = np.random.default_rng(1)
    number = pa.array(np.arange(count))
    tokens = [rng.bytes(value % 5) for value in range(count)]
    values = {
        pa.int64(): number,
        pa.int32(): pa.array(rng.integers(0, 20_000, count, dtype=np.int32)),
        pa.bool_(): pa.array(rng.random(count) < 0.5),
        pa.string(): pa.array([f"{value:032X}" for value in rng.integers(0, count, count).tolist()]),
        pa.list_(pa.string()): pa.array([["a", "b"][: value % 3] for value in range(count)], pa.list_(pa.string())),
        pa.binary(): pa.array(tokens, pa.binary()),
    }
    return pa.RecordBatch.from_arrays([values[field.type] for field in SCHEMA], schema=SCHEMA)


def test_the_bytes_do_not_depend_on_how_the_rows_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tweet_files, "PIECE_ROWS", 100)
    monkeypatch.setattr(tweet_files, "ROW_GROUP_ROWS", 300)
    batch = rows(1234)
    for name, cuts in (
        ("whole", [0, 1234]),
        ("even", [*range(0, 1234, 100), 1234]),
        ("odd", [0, 1, 1, 399, 400, 1234]),
    ):
        with TweetWriter(tmp_path / name, SCHEMA) as writer:
            for start, end in pairwise(cuts):
                writer.write(batch.slice(start, end - start))
        assert writer.rows == 1234
    with pq.ParquetFile(tmp_path / "whole") as file:
        groups = [file.metadata.row_group(index).num_rows for index in range(file.num_row_groups)]
        assert groups == [300, 300, 300, 300, 34]
        assert file.read().equals(pa.Table.from_batches([batch]))
        assert file.schema_arrow.equals(SCHEMA)
    whole = (tmp_path / "whole").read_bytes()
    assert (tmp_path / "even").read_bytes() == whole
    assert (tmp_path / "odd").read_bytes() == whole


@pytest.mark.parametrize("count", [1, 100, 101])
def test_no_row_is_lost_at_the_end_of_a_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(tweet_files, "PIECE_ROWS", 100)
    with TweetWriter(tmp_path / "tweets", SCHEMA) as writer:
        writer.write(rows(count))
    assert writer.rows == count
    assert pq.read_table(tmp_path / "tweets").equals(pa.Table.from_batches([rows(count)]))


@pytest.mark.parametrize(("count", "taken"), [(99, 0), (100, 100), (250, 200)])
def test_no_more_rows_wait_than_lack_to_a_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, taken: int
) -> None:
    monkeypatch.setattr(tweet_files, "PIECE_ROWS", 100)
    with TweetWriter(tmp_path / "tweets", SCHEMA) as writer:
        writer.write(rows(count))
        assert writer.rows == taken


def test_an_error_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeyError), TweetWriter(tmp_path / "tweets", SCHEMA) as writer:
        writer.write(rows(10))
        raise KeyError
    assert list(tmp_path.iterdir()) == []
