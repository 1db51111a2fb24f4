"""Dense rows have what a family of counters may count by."""

import pytest

from engage_pipeline_tests.interactions.dense_rows import dense_rows


@pytest.mark.parametrize("column", ["hashtags", "present_media", "present_links", "present_domains"])
def test_lists_have_none_one_or_two_of_several_values(column: str) -> None:
    lists = [row[column] for row in dense_rows(60, 1)]
    assert len({value for values in lists for value in values}) == 3, "sums over one value hide which rows have it"
    assert {len(values) for values in lists} == {0, 1, 2}
