"""Token weights: a column for each token of each language, counted and weighted as by hand."""

import math
from collections import Counter

import numpy as np
import pytest

from engage_pipeline.language.token_weights import TokenColumns, fit_columns, token_keys, weight_rows


def flat(tweets: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    tokens = np.array([token for tweet in tweets for token in tweet], np.int32)
    return tokens, np.array([len(tweet) for tweet in tweets], np.int64)


def test_weights_by_hand() -> None:
    tweets = [[9, 5, 5, 6, 9], [9, 5, 9], [9, 6, 6, 6, 9], [9, 7, 9], [9, 9], [9, 5, 7, 9], [], [9, 7, 5, 9], [9, 6, 9]]
    tweets.append(tweets[-1])
    language = np.array([0, 0, 0, 0, 0, 1, 1, 1, 2, 2], np.int32)
    columns, inverse = fit_columns(*flat(tweets), language, 2, least_tweets=2)
    assert [divmod(key, 2**32) for key in columns.keys.tolist()] == [(0, 5), (0, 6), (1, 5), (1, 7)]
    assert columns.bounds().tolist() == [0, 2, 4]
    np.testing.assert_allclose(inverse, np.log([6 / 3, 6 / 3, 4 / 3, 4 / 3]), rtol=1e-6)
    two, one = math.log(3), math.log(2)
    length, half = math.hypot(two, one), math.sqrt(0.5)
    none = [0, 0, 0, 0]
    expected = [[two / length, one / length, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], none, none]
    expected += [[0, 0, half, half], none, [0, 0, half, half], none, none]
    np.testing.assert_allclose(weight_rows(columns, inverse, *flat(tweets), language).toarray(), expected, rtol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_entries_equal_counts_tweet_by_tweet(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kept = sorted({(int(rng.integers(3)), int(rng.integers(30))) for _ in range(40)})
    columns = TokenColumns(np.array([(language << 32) + token for language, token in kept]), 3)
    strange = [-1, -7, 31, 2**31 - 1]
    tweets = [rng.choice([*range(30), *strange], rng.integers(0, 25)).tolist() for _ in range(50)]
    language = rng.integers(0, 4, len(tweets))
    weights, places, starts = columns.entries(*flat(tweets), language.astype(np.int32))
    for row, tweet in enumerate(tweets):
        counts = Counter((int(language[row]), token) for token in tweet[1:-1])
        expected = [(kept.index(pair), math.log(1 + count)) for pair, count in counts.items() if pair in kept]
        own = slice(starts[row], starts[row + 1])
        assert places[own].tolist() == [place for place, _ in expected], "as they first occur"
        np.testing.assert_allclose(weights[own], [weight for _, weight in expected], rtol=1e-6)
    assert weights.dtype == np.float32


@pytest.mark.parametrize("languages", [0, 2])
def test_without_tweets_nothing_is_kept(languages: int) -> None:
    columns, inverse = fit_columns(*flat([]), np.zeros(0, np.int32), languages)
    assert (len(columns.keys), len(inverse), columns.bounds().tolist()) == (0, 0, [0] * (languages + 1))


def test_a_key_holds_language_and_token() -> None:
    keys = token_keys(*flat([[7, 2**24 - 1], [], [7]]), np.array([0, 1, 65], np.int32))
    assert keys.tolist() == [7, 2**24 - 1, 65 * 2**32 + 7]
