"""The viewers, authors and tokens that a network knows by an embedding of their own: those of most training rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa

from engage_pipeline import schema
from engage_pipeline.interactions.features.rows import FeatureFile
from engage_pipeline.model.feature_columns import Features
from engage_pipeline.numerics.fingerprints import NO_FINGERPRINT, fingerprints
from engage_pipeline.numerics.token_bytes import tokens_of
from engage_pipeline.schema import VOCABULARY_SIZE

PEOPLE = ("engaging_user_id", "engaged_with_user_id")
"""The columns of the viewer and the author."""
LEAST_ROWS = 2
"""A value that fewer training rows have is unknown, so that training shows the network unknown values, too."""
_HELD = 16
"""Of so many times the wanted number of values the counts are held; rarer ones are forgotten as counting goes on."""


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """What is known, int64 [n] each, rising: fingerprints of `viewers` and `authors`, ids of `tokens`.

    Its numbers count from 1 in this order; 0 is the number of all that is unknown.
    """

    viewers: np.ndarray
    authors: np.ndarray
    tokens: np.ndarray

    @classmethod
    def of_rows(cls, paths: Sequence[Path], most: int) -> Self:
        """Returns at most `most` values of each kind: those of most rows (tokens: occurrences) of the feature files.

        Memory does not grow with the rows.
        """
        viewers, authors, tokens = (_Counts(most) for _ in range(3))
        for path in paths:
            for table in _row_groups(path):
                viewers.add(fingerprints(table[PEOPLE[0]]))
                authors.add(fingerprints(table[PEOPLE[1]]))
                tokens.add_counted(*_counted_tokens(table))
        return cls(*(counts.most_frequent() for counts in (viewers, authors, tokens)))

    @property
    def sizes(self) -> tuple[int, int, int]:
        """The number of viewers, authors and tokens."""
        return len(self.viewers), len(self.authors), len(self.tokens)

    def same_as(self, other: "Vocabulary | None") -> bool:
        """Returns whether both know the same."""
        mine = (self.viewers, self.authors, self.tokens)
        return other is not None and all(map(np.array_equal, mine, (other.viewers, other.authors, other.tokens)))

    def people_of(self, table: Features) -> np.ndarray:
        """Returns the numbers of viewer and author of feature rows, int64 [n, 2]."""
        known = (self.viewers, self.authors)
        return np.column_stack(
            [numbers_in(one, fingerprints(table[name])) for one, name in zip(known, PEOPLE, strict=True)]
        )

    def words_of(self, tokens: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the numbers of tokens, int64, without the first and last of each row ([CLS], [SEP]), and the place of
        each row's first one, int64 [n]. `tokens` int [sum of lengths] are those of rows of so many, `lengths` int [n].
        """
        ends, filled = np.cumsum(lengths), lengths > 0
        inner = np.ones(len(tokens), np.bool_)
        inner[(ends - lengths)[filled]] = False
        inner[(ends - 1)[filled]] = False
        words = np.maximum(lengths - 2, 0)
        return self._number_of_token[tokens[inner]], np.cumsum(words) - words

    @cached_property
    def _number_of_token(self) -> np.ndarray:
        """The number of each token id, int64 [VOCABULARY_SIZE]: ten times as fast as looking each one up."""
        numbers = np.zeros(VOCABULARY_SIZE, np.int64)
        numbers[self.tokens] = np.arange(1, len(self.tokens) + 1)
        return numbers


def numbers_in(known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Returns the place of each of `values` [n] in `known`, which rises, from 1; 0 where it is not there: int64 [n]."""
    if not len(known):
        return np.zeros(len(values), np.int64)
    places = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return np.where(known[places] == values, places + 1, 0)


def _counted_tokens(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Returns the distinct tokens of feature rows, int64 [n], rising, and how often they are there, int64 [n]."""
    counts = np.bincount(tokens_of(table)[1], minlength=VOCABULARY_SIZE)
    found = np.flatnonzero(counts)
    return found, counts[found]


def _row_groups(path: Path) -> Iterator[pa.Table]:
    with FeatureFile(path, PEOPLE) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=[*PEOPLE, *schema.TOKEN_COLUMNS])


class _Counts:
    """Counts values, and forgets the rarest of many."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.values = self.counts = np.zeros(0, np.int64)

    def add(self, values: np.ndarray) -> None:
        """Counts `values` int64 [n], all but NO_FINGERPRINT."""
        self.add_counted(*np.unique(values[values != NO_FINGERPRINT], return_counts=True))

    def add_counted(self, found: np.ndarray, counts: np.ndarray) -> None:
        """Counts each of the distinct values `found` int64 [n] as often as `counts` int64 [n] say."""
        self.values, places = np.unique(np.append(self.values, found), return_inverse=True)
        self.counts = np.bincount(places, np.append(self.counts, counts), len(self.values)).astype(np.int64)
        self._keep(_HELD * self.most)

    def most_frequent(self) -> np.ndarray:
        """Returns the most frequent values, rising."""
        self._keep(self.most)
        return self.values[self.counts >= LEAST_ROWS]

    def _keep(self, most: int) -> None:
        if len(self.values) > most:  # of equally frequent values the smallest stay
            kept = np.sort(np.argsort(-self.counts, kind="stable")[:most])
            self.values, self.counts = self.values[kept], self.counts[kept]
