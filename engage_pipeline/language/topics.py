"""Topics of tweets: clusters of tweets of one language with similar tokens.

Each language has topics of its own. A tweet is a row of token weights (token_weights). The leading singular vectors of
the rows of a language give each of its tokens a direction; a tweet's vector is the weighted sum of them, scaled to
length 1. Topics are k-means clusters of these vectors, and a tweet's topic is that whose centroid has the smallest
angle with its vector. So every token has a score for each topic, and the topic with the largest weighted sum over the
tweet's tokens is its own. Light: no torch.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline.errors import UserError
from engage_pipeline.language.token_weights import TokenColumns, fit_columns, weight_rows
from engage_pipeline.language.tweets import tweets_with_language
from engage_pipeline.machine.threads import one_blas_thread
from engage_pipeline.numerics.categories import category_numbers
from engage_pipeline.numerics.clustering import fit_centroids, ranked, unit_rows
from engage_pipeline.numerics.singular_vectors import leading_directions
from engage_pipeline.numerics.token_bytes import tokens_of
from engage_pipeline.settings.settings import Settings

if TYPE_CHECKING:
    from scipy.sparse import csr_array

TOPICS, LANGUAGES = "topics.safetensors", "topic_languages.json"
NO_TOPIC = -1
"""The topic of a tweet of an unknown language, or of a language with several topics but none of its known tokens."""
BLOCK_TOKENS = 500_000
"""Tokens processed at once, about 100 bytes each."""
DIMENSIONS_PER_TOPIC = 2
"""More dimensions find few topics no better."""

Integers = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
_ARRAYS = ("token_keys", "token_scores", "first_topics")


@dataclass(frozen=True)
class TopicModel:
    """Fitted topics.

    `token_keys` int64 [kept]: the tokens of languages with several topics, see TokenColumns.keys. `token_scores`
    float32 [kept, most topics of a language]: what a token adds to each topic of its language, -inf for topics that
    the language does not have. `first_topics` int32 [languages + 1]: the first topic of each language, and the number
    of all topics.
    """

    token_keys: npt.NDArray[np.int64]
    token_scores: Floats
    first_topics: Integers
    languages: tuple[str, ...]

    @property
    def topics(self) -> int:
        """The number of topics, of all languages."""
        return int(self.first_topics[-1])

    def assign(
        self, tokens: Integers, lengths: npt.NDArray[np.int64], languages: pa.Array | pa.ChunkedArray | list[str | None]
    ) -> Integers:
        """Returns the topic of each tweet, int32 [n]: 0 to topics - 1, or NO_TOPIC.

        `tokens` int32 holds tweet after tweet, `lengths` [n] int64 tokens each, with the special first and last one.
        A tweet of a language with a single topic has that one, whatever its tokens. A tweet's topic depends on no other
        tweet.
        """
        language = category_numbers(languages, self.languages)
        ends = np.cumsum(lengths)
        topics = np.empty(len(lengths), np.int32)
        start = 0
        while start < len(lengths):
            first = int(ends[start] - lengths[start])
            stop = max(int(np.searchsorted(ends, first + BLOCK_TOKENS, side="right")), start + 1)
            block = slice(start, stop)
            topics[block] = self._topics(tokens[first : ends[stop - 1]], lengths[block], language[block])
            start = stop
        return topics

    def _topics(self, tokens: Integers, lengths: npt.NDArray[np.int64], language: Integers) -> Integers:
        """Returns the topic of each tweet.

        A dense product may round a row differently at another position; a sparse product does not. A single row is
        added up entry by entry, as the sparse product does.
        """
        weights, columns, starts = self._columns.entries(tokens, lengths, language)
        if len(lengths) == 1:
            scores = (weights[:, np.newaxis] * self.token_scores[columns]).sum(axis=0, keepdims=True)
        else:
            from scipy.sparse import csr_array

            scores = csr_array((weights, columns, starts), (len(lengths), len(self.token_scores))) @ self.token_scores
        has_topic = (starts[1:] > starts[:-1]) | self._single[language]
        return np.where(has_topic, self.first_topics[language] + scores.argmax(axis=1), NO_TOPIC).astype(np.int32)

    @cached_property
    def _columns(self) -> TokenColumns:
        return TokenColumns(self.token_keys, len(self.languages))

    @cached_property
    def _single(self) -> npt.NDArray[np.bool_]:
        """Whether a language has a single topic, bool [languages + 1]; the last is the unknown language."""
        return np.append(np.diff(self.first_topics) == 1, False)

    @classmethod
    def none(cls) -> Self:
        """Makes a model without topics: every tweet gets NO_TOPIC."""
        return cls(np.zeros(0, np.int64), np.zeros((0, 1), np.float32), np.zeros(1, np.int32), ())

    def save(self, folder: Path) -> None:
        """Writes TOPICS and LANGUAGES. Equal models give equal bytes."""
        from safetensors.numpy import save_file

        save_file({name: np.ascontiguousarray(getattr(self, name)) for name in _ARRAYS}, folder / TOPICS)
        (folder / LANGUAGES).write_text(json.dumps(self.languages), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads what `save` wrote. Raises UserError if it is missing or damaged."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            languages = json.loads((folder / LANGUAGES).read_text(encoding="utf-8"))
            arrays = load_file(folder / TOPICS)
            return cls(**{name: arrays[name] for name in _ARRAYS}, languages=tuple(languages))
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise UserError(f"{folder}: not a set of topics; materialize tweet_topics again") from error


@one_blas_thread()
def fit_topics(tweets: Sequence[Path], output: Path, settings: Settings) -> dict[str, Any]:
    """Fits topics to distinct tweets of the typed parts `tweets`; writes the model into the folder `output`.

    Returns tweets, tokens (kept, of all languages with several topics), topics, languages, and shares: the rank of a
    topic and its share of the tweets, see `ranked`.
    """
    table = tweets_with_language(tweets, max_tweets=settings.topics.max_tweets, settings=settings)
    offsets, tokens = tokens_of(table)
    lengths = np.diff(offsets)
    model = fit_model(tokens, lengths, table["language"], settings)
    model.save(output)
    topics = model.assign(tokens, lengths, table["language"])
    sizes = np.bincount(topics[topics != NO_TOPIC], minlength=model.topics)
    return {
        "tweets": len(lengths),
        "tokens": len(model.token_keys),
        "topics": model.topics,
        "languages": len(model.languages),
        "shares": [(rank, round(size / len(lengths), 6)) for rank, size in ranked(sizes)],
    }


def fit_model(
    tokens: Integers, lengths: npt.NDArray[np.int64], languages: pa.Array | pa.ChunkedArray, settings: Settings
) -> TopicModel:
    """Fits topics to tweets in the form of `TopicModel.assign`; tweets without a language are left out."""
    known = tuple(sorted(languages.drop_null().unique().to_pylist()))
    language = category_numbers(languages, known)
    columns, inverse_frequencies = fit_columns(tokens, lengths, language, len(known))
    rows = weight_rows(columns, inverse_frequencies, tokens, lengths, language)
    bounds = columns.bounds()
    scores = [
        _token_scores(rows[np.flatnonzero(language == number)][:, start:end], inverse_frequencies[start:end], settings)
        for number, (start, end) in enumerate(pairwise(bounds.tolist()))
    ]
    topics = np.array([of_language.shape[1] for of_language in scores], np.int64)
    token_scores = np.full((len(columns.keys), topics.max(initial=1)), -np.inf, np.float32)
    for start, of_language in zip(bounds, scores, strict=False):
        token_scores[start : start + len(of_language), : of_language.shape[1]] = of_language
    several = np.repeat(topics > 1, np.diff(bounds))
    first_topics = np.append(0, np.cumsum(topics)).astype(np.int32)
    return TopicModel(columns.keys[several], token_scores[several], first_topics, known)


def _token_scores(rows: "csr_array", inverse_frequencies: Floats, settings: Settings) -> Floats:
    """Fits the topics of a language to the `rows` [tweets, kept] of its tweets.

    Returns what each token adds to the score of each topic, float32 [kept, topics]; [0, 1] for a single topic.
    """
    single = np.zeros((0, 1), np.float32)
    count = min(rows.shape[0] // settings.topics.tweets_per_topic, settings.topics.most_per_language)
    if count < 2:
        return single
    dimensions = min(settings.topics.dimensions, DIMENSIONS_PER_TOPIC * count)
    directions, _ = leading_directions(lambda: [rows], rows.shape[1], dimensions, seed=settings.seed)
    vectors = unit_rows(rows @ directions)
    centroids = unit_rows(fit_centroids(vectors[vectors.any(axis=1)], count, seed=settings.seed))
    if not len(centroids):
        return single
    return inverse_frequencies[:, np.newaxis] * (directions @ centroids.T)
