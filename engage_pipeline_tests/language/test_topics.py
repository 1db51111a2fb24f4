"""Topics: planted ones are found within each language; each tweet is given its own, whatever stands beside it."""

import math
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engage_pipeline.errors import UserError
from engage_pipeline.language import topics
from engage_pipeline.language.topics import NO_TOPIC, TopicModel, fit_model, fit_topics
from engage_pipeline.schema import CLS_TOKEN, SEP_TOKEN
from engage_pipeline.settings.settings import Settings
from engage_pipeline_tests.samples import tiny_settings
from engage_pipeline_tests.token_lists import token_arrays

TOPICS, WORDS = 6, 40
PLANTED = ("l0", "l1", "l2")
"""The languages with TOPICS topics; `small` has as many, but too few tweets for more than one."""


class Corpus(NamedTuple):
    """Tweets as `assign` takes them, and the topics that they were drawn from."""

    tokens: np.ndarray
    lengths: np.ndarray
    languages: pa.Array
    topic: np.ndarray


def flat(tweets: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    tokens = np.array([token for tweet in tweets for token in tweet], np.int32)
    return tokens, np.array([len(tweet) for tweet in tweets], np.int64)


def planted(count: int, seed: int) -> Corpus:
    """Tweets of one word of their topic to one of their language and one of all. A word of a topic is one of another
    topic in another language. 1 tweet in 20 is `small`, 1 in 20 has no language."""
    rng = np.random.default_rng(seed)
    language, topic = rng.choice(5, count, p=[0.3, 0.3, 0.3, 0.05, 0.05]), rng.integers(0, TOPICS, count)
    tweets = []
    for own_language, own_topic in zip(language.tolist(), topic.tolist(), strict=True):
        place = (own_topic + own_language) % TOPICS
        words = [firsts + rng.integers(0, WORDS, 10) for firsts in (500, 1000 + WORDS * own_language)]
        words.append(2000 + WORDS * place + rng.integers(0, WORDS, 10))
        tweets.append([CLS_TOKEN, *np.concatenate(words).tolist(), SEP_TOKEN])
    return Corpus(*flat(tweets), pa.array([[*PLANTED, "small", None][number] for number in language]), topic)


def topic_settings(folder: Path, **values: int) -> Settings:
    return tiny_settings(folder, topics={"most_per_language": TOPICS, "dimensions": 16, **values})


def model_of(corpus: Corpus, folder: Path, **values: int) -> TopicModel:
    return fit_model(corpus.tokens, corpus.lengths, corpus.languages, topic_settings(folder, **values))


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return planted(1600, 1)


@pytest.fixture(scope="module")
def model(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> TopicModel:
    return model_of(corpus, tmp_path_factory.mktemp("topics"))


def of_language(corpus: Corpus, language: str) -> np.ndarray:
    return np.array([name == language for name in corpus.languages.to_pylist()])


def purity(topic: np.ndarray, found: np.ndarray) -> float:
    """The share of the tweets that are of the most frequent planted topic of the topic that was found for them."""
    counts = np.zeros((TOPICS, found.max() + 1))
    np.add.at(counts, (topic, found), 1)
    return float(counts.max(axis=0).sum() / len(topic))


def test_the_topics_of_each_language_are_found(model: TopicModel, corpus: Corpus) -> None:
    assert model.languages == (*PLANTED, "small")
    assert model.first_topics.tolist() == [0, 6, 12, 18, 19]
    for some in (corpus, planted(800, 2)):
        found = model.assign(*some[:3])
        for number, language in enumerate(PLANTED):
            own = of_language(some, language)
            assert set(found[own].tolist()) == {*range(TOPICS * number, TOPICS * (number + 1))}
            assert purity(some.topic[own], found[own]) > 0.95


def test_a_small_language_is_one_topic_and_no_language_none(model: TopicModel, corpus: Corpus) -> None:
    found = model.assign(*corpus[:3])
    assert set(found[of_language(corpus, "small")].tolist()) == {18}
    assert set(found[np.array(corpus.languages.is_null())].tolist()) == {NO_TOPIC}
    tweets = [[], [CLS_TOKEN, SEP_TOKEN], [CLS_TOKEN, 7, SEP_TOKEN], [CLS_TOKEN, 2001, SEP_TOKEN]]
    for language, expected in (("small", [18] * 4), ("unseen", [NO_TOPIC] * 4), ("l1", [NO_TOPIC] * 3)):
        assert model.assign(*flat(tweets), pa.array([language] * 4)).tolist()[: len(expected)] == expected
        alone = [model.assign(*flat([tweet]), [language]).tolist()[0] for tweet in tweets]
        assert alone[: len(expected)] == expected


@pytest.mark.parametrize(("tweets", "topics"), [(0, 0), (1, 1), (19, 1), (20, 2), (39, 3), (59, 5), (400, 5)])
def test_the_topics_of_a_language_grow_with_its_tweets(tmp_path: Path, tweets: int, topics: int) -> None:
    rng = np.random.default_rng(tweets)
    rows = [[CLS_TOKEN, *rng.integers(1, 12, 6).tolist(), SEP_TOKEN] for _ in range(tweets + 30)]
    languages = pa.array(["a"] * tweets + ["b"] * 30)
    limits = {"most_per_language": 5, "tweets_per_topic": 10}
    model = fit_model(*flat(rows), languages, topic_settings(tmp_path, **limits))
    assert np.diff(model.first_topics).tolist() == ([topics] if tweets else []) + [3]
    assert model.topics == topics + 3
    of_token = np.diff(model.first_topics)[model.token_keys >> 32]
    assert np.isfinite(model.token_scores).sum(axis=1).tolist() == of_token.tolist()


def test_a_tweet_has_the_topic_with_the_smallest_angle(
    tmp_path: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def first_vectors(vectors: np.ndarray, count: int, *, seed: int) -> np.ndarray:
        seen.append(vectors)
        return vectors[:count] * np.arange(1, count + 1, dtype=np.float32)[:, np.newaxis]

    monkeypatch.setattr(topics, "fit_centroids", first_vectors)
    found = model_of(corpus, tmp_path).assign(*corpus[:3])
    assert len(seen) == len(PLANTED)
    for number, (language, vectors) in enumerate(zip(PLANTED, seen, strict=True)):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
        expected = TOPICS * number + (vectors @ vectors[:TOPICS].T).argmax(axis=1)
        assert found[of_language(corpus, language)].tolist() == expected.tolist()


def plain_topic(model: TopicModel, tweet: list[int], language: str | None) -> int:
    """The topic of one tweet, word by word."""
    if language not in model.languages:
        return NO_TOPIC
    number = model.languages.index(language)
    first, end = model.first_topics[number : number + 2].tolist()
    keys = model.token_keys.tolist()
    scores = [0.0] * (end - first)
    known = False
    for token, count in Counter(tweet[1:-1]).items():
        if number * 2**32 + token in keys:
            known = True
            of_token = model.token_scores[keys.index(number * 2**32 + token)].tolist()
            scores = [score + math.log(1 + count) * other for score, other in zip(scores, of_token, strict=False)]
    return first + int(np.argmax(scores)) if known or end == first + 1 else NO_TOPIC


def test_topics_equal_the_plain_computation(model: TopicModel) -> None:
    rng = np.random.default_rng(5)
    some = [1, 505, 1000, 1003, 1050, 2001, 2002, 2100, 2230]
    tweets = [rng.choice(some, rng.integers(0, 20)).tolist() for _ in range(300)]
    languages = rng.choice(np.array(["l0", "l2", "small", "unseen", None]), 300).tolist()
    found = model.assign(*flat(tweets), pa.array(languages))
    expected = [plain_topic(model, tweet, language) for tweet, language in zip(tweets, languages, strict=True)]
    assert found.tolist() == expected
    assert found.dtype == np.int32
    alone = [model.assign(*flat([tweet]), [language])[0] for tweet, language in zip(tweets, languages, strict=True)]
    assert alone == expected
    assert len({*expected}) > 6
    assert NO_TOPIC in expected


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_a_tweet_has_its_topic_whatever_stands_beside_it(
    model: TopicModel, corpus: Corpus, data: st.DataObject
) -> None:
    expected = model.assign(*corpus[:3])
    rows = data.draw(st.lists(st.integers(0, len(expected) - 1), min_size=1, max_size=60))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    ends = np.cumsum(corpus.lengths)
    found = []
    for batch in np.split(np.array(rows), cuts):
        tokens = [corpus.tokens[ends[row] - corpus.lengths[row] : ends[row]] for row in batch]
        flat_tokens = np.concatenate([np.zeros(0, np.int32), *tokens])
        found += model.assign(flat_tokens, corpus.lengths[batch], corpus.languages.take(pa.array(batch))).tolist()
    assert found == expected[rows].tolist()


def test_small_blocks_change_nothing(model: TopicModel, corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = model.assign(*corpus[:3])
    monkeypatch.setattr(topics, "BLOCK_TOKENS", 50)
    np.testing.assert_array_equal(model.assign(*corpus[:3]), expected)
    assert model.assign(*flat([[], [], [101] * 400]), pa.array(["l0", None, "l1"])).tolist() == [NO_TOPIC] * 3


def test_first_and_last_tokens_and_strange_ones_do_not_count(model: TopicModel) -> None:
    known = int(model.token_keys[0])
    tweets = [[], [known], [known, known], [-1, known, -5], [known, -7, 2**31 - 1, known]]
    found = model.assign(*flat(tweets), pa.chunked_array([["l0"] * 2, ["l0"] * 3]))
    assert (found == NO_TOPIC).tolist() == [True, True, True, False, True]


def write_parts(folder: Path, tweets: list[tuple[str, list[int] | None, str | None]]) -> list[Path]:
    """Two typed parts that both hold every tweet."""
    ids, tokens, languages = zip(*tweets, strict=True) if tweets else ((), (), ())
    table = pa.table(
        {
            "tweet_id": pa.array(ids, pa.string()),
            **token_arrays(tokens),
            "language": pa.array(languages, pa.string()),
        }
    )
    paths = [folder / f"{part}.parquet" for part in range(2)]
    for path in paths:
        pq.write_table(table, path)
    return paths


@pytest.mark.parametrize("tokens", [None, [], [101, 102], [101, 7, 102]])
@pytest.mark.parametrize("language", [None, "en"])
def test_without_frequent_tokens_a_language_is_one_topic(
    tmp_path: Path, tokens: list[int] | None, language: str | None
) -> None:
    tweets = [(str(number), tokens, language) for number in range(4)]
    facts = fit_topics(write_parts(tmp_path, tweets), tmp_path, topic_settings(tmp_path, tweets_per_topic=2))
    known = bool(tokens and language)
    assert (facts["tokens"], facts["topics"], facts["shares"]) == (0, known, [(1, 1.0)] * known)
    model = TopicModel.load(tmp_path)
    expected = [0 if known else NO_TOPIC] * 2
    assert model.assign(*flat([[101, 7, 8, 102], []]), pa.array([language] * 2, pa.string())).tolist() == expected
    assert model.assign(*flat([]), pa.array([], pa.string())).tolist() == []


def test_a_tiny_world_has_fewer_topics(tmp_path: Path) -> None:
    tweets = [(str(number), [101, 5, 6 + number % 2, 102], "en" if number else None) for number in range(13)]
    facts = fit_topics(write_parts(tmp_path, tweets), tmp_path, topic_settings(tmp_path, tweets_per_topic=6))
    assert facts == {
        "tweets": 13,
        "tokens": 3,
        "topics": 2,
        "languages": 1,
        "shares": [(1, round(6 / 13, 6)), (2, round(6 / 13, 6))],
    }
    seen = TopicModel.load(tmp_path).assign(*flat([tokens for _, tokens, _ in tweets]), pa.array(["en"] * 13))
    assert sorted([{*seen[::2].tolist()}, {*seen[1::2].tolist()}], key=min) == [{0}, {1}]


def test_a_model_of_nothing_knows_no_topic(tmp_path: Path) -> None:
    TopicModel.none().save(tmp_path)
    for model in (TopicModel.none(), TopicModel.load(tmp_path)):
        assert model.topics == 0
        for tweets in ([], [[]], [[101, 7, 102]], [[101, 7, 102]] * 2):
            assert model.assign(*flat(tweets), pa.array(["en"] * len(tweets))).tolist() == [NO_TOPIC] * len(tweets)


def test_what_is_published_repeats_to_the_byte_and_follows_the_settings(tmp_path: Path, corpus: Corpus) -> None:
    tweets = np.split(corpus.tokens, np.cumsum(corpus.lengths)[:-1])
    rows = [
        (str(number), tweet.tolist(), language)
        for number, (tweet, language) in enumerate(zip(tweets, corpus.languages.to_pylist(), strict=True))
    ]
    paths = write_parts(tmp_path, rows)

    def published(**values: int) -> bytes:
        fit_topics(paths, tmp_path, topic_settings(tmp_path, **values))
        return b"".join((tmp_path / name).read_bytes() for name in (topics.TOPICS, topics.LANGUAGES))

    first = published()
    assert published() == first
    loaded = TopicModel.load(tmp_path)
    assert loaded.languages == (*PLANTED, "small")
    own = of_language(corpus, "l1")
    assert purity(corpus.topic[own], loaded.assign(*corpus[:3])[own]) > 0.95
    for other in ({"most_per_language": 5}, {"tweets_per_topic": 200}, {"dimensions": 9}, {"max_tweets": 800}):
        assert published(**other) != first


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / topics.LANGUAGES).write_text("[]", encoding="utf-8")
        (tmp_path / topics.TOPICS).write_bytes(content)
    with pytest.raises(UserError, match="not a set of topics; materialize tweet_topics"):
        TopicModel.load(tmp_path)
