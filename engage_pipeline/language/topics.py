"""Topics of tweets: clusters of tweets with similar tokens, beyond their language.

A tweet is a row of token weights (token_weights). The leading singular vectors of these rows give each token a
direction. A tweet's vector is the weighted sum of its tokens' directions, minus the mean of its language (so that
topics are not languages), scaled to length 1. Topics are k-means clusters of these vectors. Light: no torch.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline.errors import UserError
from engage_pipeline.language.token_weights import TokenWeights, fit_weights
from engage_pipeline.language.tweets import tweets_with_language
from engage_pipeline.machine.threads import one_blas_thread
from engage_pipeline.numerics.categories import category_numbers
from engage_pipeline.numerics.clustering import fit_centroids, unit_rows
from engage_pipeline.numerics.singular_vectors import leading_directions
from engage_pipeline.numerics.token_bytes import tokens_of
from engage_pipeline.settings.settings import Settings

if TYPE_CHECKING:
    from scipy.sparse import csr_array

TOPICS, LANGUAGES = "topics.safetensors", "topic_languages.json"
NO_TOPIC = -1
"""The topic of a tweet without any known token."""
BLOCK_TOKENS = 500_000
"""Tokens processed at once, about 100 bytes each."""

Integers = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
_ARRAYS = ("token_ids", "inverse_frequencies", "token_directions", "language_means", "centroids")


@dataclass(frozen=True)
class TopicModel:
    """Fitted topics.

    `token_ids` int32 [kept], ascending. float32: `inverse_frequencies` [kept], `token_directions` [kept, d],
    `language_means` [languages + 1, d], the last row being the mean of all tweets, `centroids` [topics, d].
    """

    token_ids: Integers
    inverse_frequencies: Floats
    token_directions: Floats
    language_means: Floats
    centroids: Floats
    languages: tuple[str, ...]

    def assign(
        self, tokens: Integers, lengths: npt.NDArray[np.int64], languages: pa.Array | pa.ChunkedArray
    ) -> Integers:
        """Returns the topic of each tweet, int32 [n]: 0 to topics - 1, or NO_TOPIC.

        `tokens` int32 holds tweet after tweet, `lengths` [n] int64 tokens each, with the special first and last one. An
        unknown or missing language uses the mean of all. A tweet's topic depends on no other tweet.
        """
        language = category_numbers(languages, self.languages)
        ends = np.cumsum(lengths)
        topics = np.empty(len(lengths), np.int32)
        start = 0
        while start < len(lengths):
            first = int(ends[start] - lengths[start])
            stop = max(int(np.searchsorted(ends, first + BLOCK_TOKENS, side="right")), start + 1)
            rows = self._weights.rows(tokens[first : ends[stop - 1]], lengths[start:stop])
            topics[start:stop] = self._nearest(rows, language[start:stop])
            start = stop
        return topics

    def vectors(self, rows: "csr_array", language: Integers) -> Floats:
        """Returns the vectors [n, d], each of length 1 or 0, of token weights `rows` [n, kept] and `language` [n]."""
        return unit_rows(rows @ self.token_directions - self.language_means[language])

    def _nearest(self, rows: "csr_array", language: Integers) -> Integers:
        """Returns the topic of each row.

        A dense product may round a row differently at another position; a sparse product does not. So the tokens'
        directions, not the tweets' vectors, are multiplied with the centroids.
        """
        if not len(self.centroids):
            return np.full(rows.shape[0], NO_TOPIC, np.int32)
        found = rows @ self._directions_and_products
        vectors, products = np.split(found - self._means_and_products[language], [self.token_directions.shape[1]], 1)
        lengths = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
        scores = products / np.maximum(lengths, np.finfo(np.float32).tiny) - np.square(self.centroids).sum(axis=1) / 2
        known = np.diff(rows.indptr) > 0
        return np.where(known, np.argmax(scores, axis=1), NO_TOPIC).astype(np.int32)

    @classmethod
    def none(cls) -> Self:
        """Makes a model without topics: every tweet gets NO_TOPIC."""
        tokens, numbers, vectors = np.zeros(0, np.int32), np.zeros(0, np.float32), np.zeros((0, 1), np.float32)
        return cls(tokens, numbers, vectors, np.zeros((1, 1), np.float32), vectors, ())

    @cached_property
    def _weights(self) -> TokenWeights:
        return TokenWeights(self.token_ids, self.inverse_frequencies)

    @cached_property
    def _directions_and_products(self) -> Floats:
        return np.hstack([self.token_directions, self.token_directions @ self.centroids.T])

    @cached_property
    def _means_and_products(self) -> Floats:
        return np.hstack([self.language_means, self.language_means @ self.centroids.T])

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

    Returns tweets, tokens (kept), dimensions, topics, languages, and shares (of the tweets, by topic).
    """
    table = tweets_with_language(tweets, max_tweets=settings.topics.max_tweets, settings=settings)
    offsets, tokens = tokens_of(table)
    lengths = np.diff(offsets)
    model = fit_model(tokens, lengths, table["language"], settings)
    model.save(output)
    topics = model.assign(tokens, lengths, table["language"])
    sizes = np.bincount(topics[topics != NO_TOPIC], minlength=len(model.centroids))
    return {
        "tweets": len(lengths),
        "tokens": len(model.token_ids),
        "dimensions": model.centroids.shape[1],
        "topics": len(model.centroids),
        "languages": len(model.languages),
        "shares": [round(size / max(len(lengths), 1), 6) for size in sizes.tolist()],
    }


def fit_model(
    tokens: Integers, lengths: npt.NDArray[np.int64], languages: pa.Array | pa.ChunkedArray, settings: Settings
) -> TopicModel:
    """Fits topics to tweets in the form of `TopicModel.assign`; a model of no topics if no token is kept."""
    weights = fit_weights(tokens, lengths)
    rows = weights.rows(tokens, lengths)
    kept = len(weights.tokens)
    directions, _ = leading_directions(lambda: [rows], kept, settings.topics.dimensions, seed=settings.seed)
    known = tuple(sorted(languages.drop_null().unique().to_pylist()))
    tweets = np.flatnonzero(np.diff(rows.indptr))
    rows, language = rows[tweets], category_numbers(languages, known)[tweets]
    means = _means(rows @ directions, language, len(known))
    unclustered = np.zeros((0, directions.shape[1]), np.float32)
    model = TopicModel(weights.tokens, weights.inverse_frequencies, directions, means, unclustered, known)
    return replace(
        model, centroids=fit_centroids(model.vectors(rows, language), settings.topics.count, seed=settings.seed)
    )


def _means(vectors: Floats, language: Integers, languages: int) -> Floats:
    """Returns the mean vector of each language and, last, of all tweets: float32 [languages + 1, d]."""
    sums = np.zeros((languages + 1, vectors.shape[1]))
    np.add.at(sums, language, vectors)
    sizes = np.bincount(language, minlength=languages + 1)[:, None]
    sums[-1] = sums.sum(axis=0)
    sizes[-1] = len(language)
    return (sums / np.maximum(sizes, 1)).astype(np.float32)
