import numpy as np
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.model.network.rows import RowReader, concatenate, read_columns
from engage_pipeline_tests.model.network.network_samples import LANGUAGES, set_column, write_parts, write_validation
from engage_pipeline_tests.samples import feature_table
from engage_pipeline_tests.token_lists import token_list


def slow_rows(table, languages=LANGUAGES):
    """Row by row, in plain Python: (numbers, exposures, flags, categories, tokens, labels) of each."""
    rows = []
    for row in table.to_pylist():
        language = languages.index(row["language"]) if row["language"] in languages else len(languages)
        rows.append(
            (
                [float(row[name]) for name in schema.NUMBERS],
                [row[name] for name in schema.EXPOSURE_FEATURES],
                [row[name] for name in schema.BINARY_FEATURES],
                [language, row["hour"], row["day_of_month"]],
                token_list(row),
                [row[name] for name in schema.TARGETS if name in row],
            )
        )
    return rows


def read_rows(path, **chosen):
    """Everything that is streamed, together."""
    pieces = list(RowReader(LANGUAGES).stream(path, **chosen))
    none = RowReader(LANGUAGES).rows(pq.read_schema(path).empty_table(), labelled=True)
    return concatenate([none, *pieces], sum(map(len, pieces)))


def assert_equal(rows, expected):
    assert len(rows) == len(expected)
    starts = np.cumsum(rows.lengths) - rows.lengths
    for place, (numbers, exposures, flags, categories, tokens, labels) in enumerate(expected):
        assert rows.known_numbers()[place].tolist() == numbers
        assert rows.exposures[place].tolist() == exposures
        assert rows.flags[place].tolist() == flags
        assert rows.categories[place].tolist() == categories
        assert rows.tokens[starts[place] :][: rows.lengths[place]].tolist() == tokens
        assert rows.labels[place].tolist() == labels


@pytest.mark.parametrize("labelled", [True, False])
def test_equals_rows_read_one_by_one(labelled):
    table = feature_table(60, 1, labelled=labelled)
    assert_equal(RowReader(LANGUAGES).rows(table, labelled=labelled), slow_rows(table))
    assert_equal(RowReader(LANGUAGES).rows(table.slice(20, 25), labelled=labelled), slow_rows(table)[20:45])


def test_an_unseen_or_missing_language_has_its_own_index():
    table = set_column(feature_table(4, 1), "language", ["pt", "xx", None, "en"])
    assert RowReader(LANGUAGES).rows(table, labelled=True).categories[:, 0].tolist() == [2, 3, 3, 0]


def test_takes_and_concatenates_rows():
    table = feature_table(30, 1)
    rows, expected = RowReader(LANGUAGES).rows(table, labelled=True), slow_rows(table)
    order = np.array([29, 3, 3, 0])
    assert_equal(rows.take(order), [expected[place] for place in order])
    assert_equal(rows.take(np.array([], int)), [])
    both = concatenate(iter([rows, rows.take(order)]), 34)
    assert_equal(both, [*expected, *(expected[place] for place in order)])
    assert all(getattr(both, name).dtype == getattr(rows, name).dtype for name in vars(both))
    with pytest.raises(ValueError, match="30 rows, not 31"):
        concatenate([rows], 31)


def test_streams_a_row_group_at_a_time(tmp_path):
    (path,) = write_parts(tmp_path, [200])
    assert [len(rows) for rows in RowReader(LANGUAGES).stream(path)] == [70, 70, 60]


@pytest.mark.parametrize(("start", "stop"), [(0, None), (0, 70), (69, 71), (100, 199), (140, 140), (3, 4)])
def test_reads_a_range_across_row_groups(tmp_path, start, stop):
    (path,) = write_parts(tmp_path, [200])
    expected = slow_rows(pq.read_table(path))
    assert_equal(read_rows(path, start=start, stop=stop), expected[start:stop])


def test_keeps_the_rows_of_a_range_that_a_rule_chooses(tmp_path):
    path = write_validation(tmp_path, 300)
    split = pq.read_table(path)[schema.SPLIT].to_numpy()
    chosen = [row for row, one in zip(slow_rows(pq.read_table(path)), split, strict=True) if one in (0, 3, 8)]
    assert_equal(read_rows(path, rule=lambda split: np.isin(split, (0, 3, 8))), chosen)
    before = np.count_nonzero(np.isin(split[:40], (0, 3, 8)))
    after = np.count_nonzero(np.isin(split[290:], (0, 3, 8)))
    inside = read_rows(path, start=40, stop=290, rule=lambda split: np.isin(split, (0, 3, 8)))
    assert_equal(inside, chosen[before : len(chosen) - after])


def test_a_file_without_rows_has_none(tmp_path):
    pq.write_table(feature_table(0, 1), tmp_path / "empty.parquet")
    assert list(RowReader(LANGUAGES).stream(tmp_path / "empty.parquet")) == []


def test_names_the_file_and_the_column_that_is_wrong(tmp_path):
    path = tmp_path / "part.parquet"
    pq.write_table(feature_table(5, 1).drop_columns(["pair_like"]), path)
    with pytest.raises(UserError, match=r"part\.parquet: no column pair_like"):
        read_rows(path)
    pq.write_table(set_column(feature_table(3, 1), "viewer_reply", [1, None, 3]), path)
    with pytest.raises(UserError, match=r"part\.parquet: column viewer_reply has 1 nulls"):
        read_rows(path)
    with pytest.raises(UserError, match=r"part\.parquet: column viewer_reply has 1 nulls"):
        read_columns(path, ["viewer_reply"])
