from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.language.tweets import distinct_tweets, tweets_with_language
from engage_pipeline.numerics.token_bytes import with_token_lists
from engage_pipeline_tests.language.corpora import write_tweets
from engage_pipeline_tests.samples import tiny_settings
from engage_pipeline_tests.token_lists import token_arrays

FIRST = [("b", [101, 7, 102]), ("a", [101, 5, 102]), ("b", [101, 7, 102]), ("c", []), ("d", None)]
SECOND = [("b", [101, 7, 102]), (None, [101, 9, 102]), (None, [101, 8, 102]), (None, [101, 9, 102])]


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    return [write_tweets(tmp_path / "1.parquet", FIRST), write_tweets(tmp_path / "2.parquet", SECOND)]


def test_each_tweet_stands_once_with_its_rows_counted_over_all_files(tmp_path: Path, parts: list[Path]) -> None:
    table = distinct_tweets(parts, max_tweets=None, settings=tiny_settings(tmp_path))
    assert with_token_lists(table).to_pydict() == {
        "tweet_id": ["a", "b", None, None],
        "text_tokens": [[101, 5, 102], [101, 7, 102], [101, 8, 102], [101, 9, 102]],
        "occurrences": [1, 3, 1, 2],
    }


def test_max_tweets_keeps_the_first_by_tweet_id(tmp_path: Path, parts: list[Path]) -> None:
    for order in (parts, parts[::-1]):
        table = distinct_tweets(order, max_tweets=2, settings=tiny_settings(tmp_path))
        assert table["tweet_id"].to_pylist() == ["a", "b"]


def test_one_id_with_two_texts_is_two_tweets(tmp_path: Path) -> None:
    path = write_tweets(tmp_path / "1.parquet", [("a", [101, 5, 102]), ("a", [101, 4, 102]), ("a", [101, 5, 102])])
    table = distinct_tweets([path], max_tweets=None, settings=tiny_settings(tmp_path))
    assert with_token_lists(table)["text_tokens"].to_pylist() == [[101, 4, 102], [101, 5, 102]]
    assert table["occurrences"].to_pylist() == [1, 2]


def test_a_tweet_of_one_token_is_a_tweet(tmp_path: Path) -> None:
    path = write_tweets(tmp_path / "1.parquet", [("a", [7]), ("b", [])])
    assert distinct_tweets([path], max_tweets=None, settings=tiny_settings(tmp_path))["tweet_id"].to_pylist() == ["a"]


def test_of_two_languages_of_a_tweet_the_first_by_name_is_kept(tmp_path: Path) -> None:
    columns = {"tweet_id": ["a", "a", "b"], **token_arrays([[7], [7], []]), "language": ["pt", "en", "en"]}
    pq.write_table(pa.table(columns), tmp_path / "1.parquet")
    for parts in ([tmp_path / "1.parquet"], [tmp_path / "1.parquet"] * 2):
        table = tweets_with_language(parts, max_tweets=None, settings=tiny_settings(tmp_path))
        assert with_token_lists(table).to_pydict() == {"tweet_id": ["a"], "text_tokens": [[7]], "language": ["en"]}


def test_parts_without_text_are_refused(tmp_path: Path) -> None:
    path = write_tweets(tmp_path / "1.parquet", [("a", []), ("b", None)])
    with pytest.raises(UserError, match="no tweet has text_tokens"):
        distinct_tweets([path], max_tweets=None, settings=tiny_settings(tmp_path))
