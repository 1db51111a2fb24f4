"""Topics: planted ones are found, in every language; each tweet is given its own, whatever stands beside it."""

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
from sklearn.metrics import adjusted_rand_score  # noqa: TID253 - nothing light imports tests

from engage_pipeline.errors import UserError
from engage_pipeline.language import topics
from engage_pipeline.language.token_weights import TokenWeights, fit_weights
from engage_pipeline.language.topics import NO_TOPIC, TopicModel, fit_model, fit_topics
from engage_pipeline.schema import CLS_TOKEN, SEP_TOKEN
from engage_pipeline.settings.settings import Settings
from engage_pipeline_tests.samples import tiny_settings
from engage_pipeline_tests.token_lists import token_arrays

TOPICS, N_LANGUAGES, WORDS = 6, 4, 40


class Corpus(NamedTuple):
    """Tweets as `assign` takes them, and what they were drawn from."""

    tokens: np.ndarray
    lengths: np.ndarray
    languages: pa.Array
    topic: np.ndarray
    language: np.ndarray


def flat(tweets: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([token for tweet in tweets for token in tweet], np.int32), np.array([len(t) for t in tweets])


def planted(count: int, seed: int, *, shared: bool) -> Corpus:
    """Tweets of two words of their language to one of their topic. Languages have no word in common but those of the
    topics, and only where these are `shared`."""
    rng = np.random.default_rng(seed)
    topic, language = rng.integers(0, TOPICS, count), rng.integers(0, N_LANGUAGES, count)
    tweets = []
    for own_topic, own_language in zip(topic.tolist(), language.tolist(), strict=True):
        place = TOPICS * (0 if shared else own_language) + own_topic
        words = 1000 + WORDS * own_language + rng.integers(0, WORDS, 20)
        tweets.append([CLS_TOKEN, *words.tolist(), *(2000 + WORDS * place + rng.integers(0, WORDS, 10)), SEP_TOKEN])
    return Corpus(*flat(tweets), pa.array([f"l{number}" for number in language]), topic, language)


def model_of(corpus: Corpus, folder: Path, **values: int) -> TopicModel:
    return fit_model(corpus.tokens, corpus.lengths, corpus.languages, topic_settings(folder, **values))


def topic_settings(folder: Path, **values: int) -> Settings:
    return tiny_settings(folder, topics={"count": TOPICS, "dimensions": 16, **values})


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return planted(600, 1, shared=True)


@pytest.fixture(scope="module")
def model(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> TopicModel:
    return model_of(corpus, tmp_path_factory.mktemp("topics"))


def test_planted_topics_are_found_and_are_not_languages(tmp_path: Path) -> None:
    corpus = planted(3000, 1, shared=True)
    model = model_of(corpus, tmp_path)
    new = planted(1000, 2, shared=True)
    for some in (corpus, new):
        found = model.assign(*some[:3])
        assert adjusted_rand_score(some.topic, found) > 0.9
        assert adjusted_rand_score(some.language, found) < 0.05


def test_topics_with_words_of_their_own_in_each_language_are_found(tmp_path: Path) -> None:
    corpus = planted(4000, 3, shared=False)
    found = model_of(corpus, tmp_path, count=TOPICS * N_LANGUAGES, dimensions=32).assign(*corpus[:3])
    assert adjusted_rand_score(TOPICS * corpus.language + corpus.topic, found) > 0.9


def plain_topic(model: TopicModel, tweet: list[int], language: str | None) -> int:
    """The topic of one tweet, word by word."""
    place = {token: index for index, token in enumerate(model.token_ids.tolist())}
    counts = Counter(place[token] for token in tweet[1:-1] if token in place)
    if not counts:
        return NO_TOPIC
    weights = {token: math.log(1 + count) * model.inverse_frequencies[token] for token, count in counts.items()}
    length = math.sqrt(sum(weight**2 for weight in weights.values()))
    vector = sum(weight / length * model.token_directions[token].astype(float) for token, weight in weights.items())
    known = model.languages.index(language) if language in model.languages else -1
    vector = vector - model.language_means[known]
    return int(np.linalg.norm(vector / np.linalg.norm(vector) - model.centroids, axis=1).argmin())


def test_topics_equal_the_plain_computation(model: TopicModel) -> None:
    rng = np.random.default_rng(5)
    tweets = [
        rng.choice([1, 1000, 1003, 1050, 2001, 2002, 2100, 2230], rng.integers(0, 20)).tolist() for _ in range(300)
    ]
    languages = rng.choice(np.array(["l0", "l3", "unseen", None]), 300).tolist()
    found = model.assign(*flat(tweets), pa.array(languages))
    expected = [plain_topic(model, tweet, language) for tweet, language in zip(tweets, languages, strict=True)]
    assert found.tolist() == expected
    assert found.dtype == np.int32
    assert len({*expected}) > 3
    assert NO_TOPIC in expected


def test_means_are_those_of_each_language_and_of_all(model: TopicModel, corpus: Corpus) -> None:
    weights = TokenWeights(model.token_ids, model.inverse_frequencies)
    vectors = weights.rows(corpus.tokens, corpus.lengths).toarray() @ model.token_directions
    expected = [vectors[corpus.language == language].mean(axis=0) for language in range(N_LANGUAGES)]
    np.testing.assert_allclose(model.language_means, [*expected, vectors.mean(axis=0)], atol=1e-6)


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
    known = int(model.token_ids[0])
    tweets = [[], [known], [known, known], [-1, known, -5], [known, -7, 2**31 - 1, known]]
    found = model.assign(*flat(tweets), pa.chunked_array([["l0"] * 2, ["l0"] * 3]))
    assert (found == NO_TOPIC).tolist() == [True, True, True, False, True]


def test_weights_by_hand() -> None:
    tweets = [[9, 5, 5, 6, 9], [9, 5, 9], [9, 6, 6, 6, 9], [9, 7, 9], [9, 9]]
    weights = fit_weights(*flat(tweets), least_tweets=2)
    assert weights.tokens.tolist() == [5, 6]
    np.testing.assert_allclose(weights.inverse_frequencies, np.log([2, 2]), rtol=1e-6)
    two, one = math.log(3), math.log(2)
    length = math.hypot(two, one)
    expected = [[two / length, one / length], [1, 0], [0, 1], [0, 0], [0, 0]]
    np.testing.assert_allclose(weights.rows(*flat(tweets)).toarray(), expected, rtol=1e-6)


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
def test_without_frequent_tokens_no_tweet_has_a_topic(tmp_path: Path, tokens: list[int] | None) -> None:
    facts = fit_topics(write_parts(tmp_path, [("a", tokens, None)]), tmp_path, tiny_settings(tmp_path))
    assert (facts["tokens"], facts["topics"], facts["shares"]) == (0, 0, [])
    assert TopicModel.load(tmp_path).assign(*flat([[101, 7, 8, 102], []]), pa.nulls(2)).tolist() == [NO_TOPIC] * 2
    assert TopicModel.load(tmp_path).assign(*flat([]), pa.array([], pa.string())).tolist() == []


def test_a_tiny_world_has_fewer_topics_and_dimensions(tmp_path: Path) -> None:
    tweets = [(str(number), [101, 5, 6 + number % 2, 102], "en" if number else None) for number in range(12)]
    facts = fit_topics(write_parts(tmp_path, tweets), tmp_path, tiny_settings(tmp_path))
    assert (facts["tweets"], facts["tokens"], facts["languages"]) == (12, 3, 1)
    assert (facts["topics"], facts["dimensions"]) == (12, 2)
    assert sum(facts["shares"]) == pytest.approx(1, abs=1e-5)
    seen = TopicModel.load(tmp_path).assign(*flat([tokens for _, tokens, _ in tweets]), pa.array(["en"] * 12))
    assert len({*seen[::2].tolist()}) == len({*seen[1::2].tolist()}) == 1
    assert seen[0] != seen[1]


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
    assert loaded.languages == ("l0", "l1", "l2", "l3")
    assert loaded.centroids.shape == (TOPICS, 16)
    assert adjusted_rand_score(corpus.topic, loaded.assign(*corpus[:3])) > 0.9
    for other in ({"count": 5}, {"dimensions": 9}, {"max_tweets": 300}):
        assert published(**other) != first


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / topics.LANGUAGES).write_text("[]", encoding="utf-8")
        (tmp_path / topics.TOPICS).write_bytes(content)
    with pytest.raises(UserError, match="not a set of topics; materialize tweet_topics"):
        TopicModel.load(tmp_path)
