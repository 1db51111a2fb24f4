"""Files of features, read with the tweets beside them, whose token ids they don't repeat."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.files.parquet import batches, rows_at
from engage_pipeline.interactions.features.rows import FeatureFile, put_tweets_beside
from engage_pipeline.store.file_names import tweets_beside
from engage_pipeline_tests.interactions.dense_rows import dense_rows
from engage_pipeline_tests.interactions.test_against_reference import write_everything
from engage_pipeline_tests.interactions.worlds import World
from engage_pipeline_tests.samples import feature_table

ROWS, GROUP = 100, 30


@pytest.fixture
def whole(tmp_path: Path) -> pa.Table:
    """Rows with their token ids, which are in two files: features.parquet, in row groups of GROUP, and its tweets."""
    table = feature_table(ROWS, 4)
    tweets = table.select([schema.LINE_NUMBER, *schema.TOKEN_COLUMNS])
    write_files(tmp_path, table.drop_columns(list(schema.TOKEN_COLUMNS)), tweets)
    return table


def write_files(folder: Path, features: pa.Table, tweets: pa.Table, group: int = GROUP) -> None:
    pq.write_table(features, folder / "features.parquet", row_group_size=GROUP)
    pq.write_table(tweets, folder / tweets_beside("features.parquet"), row_group_size=group)


def test_the_tweets_get_a_second_name_and_take_no_room(tmp_path: Path) -> None:
    write_everything(World([dense_rows(120, 1)], dense_rows(90, 2, chunked=True), dense_rows(40, 3)), tmp_path)
    for tweets, kind in (("part0", "training"), ("validation", "validation"), ("test", "test")):
        path = tmp_path / f"{kind}_features.parquet"
        assert path.with_name(tweets_beside(path.name)).samefile(tmp_path / f"{tweets}.parquet")
        assert {*schema.TOKEN_COLUMNS}.isdisjoint(pq.read_schema(path).names)
        found = FeatureFile(path).read([schema.LINE_NUMBER, *schema.TOKEN_COLUMNS]).to_pydict()
        assert found == pq.read_table(tmp_path / f"{tweets}.parquet", columns=list(found)).to_pydict()
        assert any(found["text_tokens"])


def test_what_is_done_again_replaces_the_second_name(tmp_path: Path) -> None:
    for content in ("first", "second"):
        (tmp_path / content).write_text(content)
        put_tweets_beside(tmp_path / "features.parquet", tmp_path / content)
    assert (tmp_path / tweets_beside("features.parquet")).read_text() == "second"
    assert (tmp_path / "first").read_text() == "first"


@pytest.mark.parametrize(
    "columns",
    [
        None,
        [schema.LINE_NUMBER],
        ["text_tokens_high", "pair_like", "text_tokens"],
        ["language", "text_tokens"],
        list(schema.TOKEN_COLUMNS),
    ],
)
def test_both_files_are_read_as_one(whole: pa.Table, tmp_path: Path, columns: Sequence[str] | None) -> None:
    expected = whole if columns is None else whole.select(columns)
    with FeatureFile(tmp_path / "features.parquet") as file:
        assert file.num_row_groups == 4
        assert file.names == {*whole.column_names}
        assert same(file.read(columns), expected)
        for group in range(4):
            assert same(file.read_row_group(group, columns), expected.slice(group * GROUP, GROUP))
        for size in (1, 7, GROUP, 45, ROWS, 1000):
            found = list(batches(file, size, columns))
            assert [len(table) for table in found] == [size] * (ROWS // size) + [ROWS % size] * (ROWS % size > 0)
            assert same(pa.concat_tables(found), expected)
        places = pa.array([0, 29, 30, 31, 98])
        assert same(pa.concat_tables(rows_at(file, places.to_numpy(), 16, columns)), expected.take(places))


def same(found: pa.Table, expected: pa.Table) -> bool:
    """Both hold the same values in the same columns, whatever their order."""
    return {*found.column_names} == {*expected.column_names} and found.select(expected.column_names).equals(expected)


def test_columns_of_the_features_are_read_without_the_tweets(whole: pa.Table, tmp_path: Path) -> None:
    (tmp_path / tweets_beside("features.parquet")).unlink()
    with FeatureFile(tmp_path / "features.parquet") as file:
        assert file.read(["pair_like", "language"]).equals(whole.select(["pair_like", "language"]))
        found = pa.concat_tables(batches(file, 40, ["pair_like", "language"]))
        assert found.equals(whole.select(["pair_like", "language"]))
        with pytest.raises(UserError, match=r"typed-tweets\.parquet: not there; the token ids of features\.parquet"):
            file.read_row_group(0)


@pytest.mark.parametrize(("rows", "group"), [(ROWS - 1, GROUP), (ROWS, GROUP + 1)])
def test_tweets_of_other_rows_are_not_read(whole: pa.Table, tmp_path: Path, rows: int, group: int) -> None:
    features = whole.drop_columns(list(schema.TOKEN_COLUMNS))
    write_files(tmp_path, features, whole.select(list(schema.TOKEN_COLUMNS)).slice(0, rows), group)
    with (
        FeatureFile(tmp_path / "features.parquet") as file,
        pytest.raises(UserError, match=r"typed-tweets\.parquet: its rows are not those of features\.parquet; make"),
    ):
        list(batches(file, 10))


def test_a_copy_of_both_files_is_read(whole: pa.Table, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(tmp_path, other, ignore=shutil.ignore_patterns("other"))
    with FeatureFile(other / "features.parquet", ["language"]) as file:
        table = file.read_row_group(1)
    assert pa.types.is_dictionary(table.schema.field("language").type)
    assert table["language"].cast(pa.string()).equals(whole["language"].slice(GROUP, GROUP))
