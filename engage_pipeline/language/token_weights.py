"""Tweets as sparse rows of token weights: log(1 + count) times the token's inverse document frequency."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Tokens = npt.NDArray[np.int32]
Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
LEAST_TWEETS = 5
"""Tokens that occur in fewer tweets are left out."""
_UNKNOWN = -1


@dataclass(frozen=True)
class TokenWeights:
    """The kept tokens: `tokens` int32 [kept], ascending, and their inverse document frequencies float32 [kept]."""

    tokens: Tokens
    inverse_frequencies: Floats

    def rows(self, values: Tokens, lengths: Integers) -> "csr_array":
        """Returns tweets as rows [tweets, kept] of Euclidean length 1; `values` [tokens] holds tweet after tweet.

        The first and the last token of each tweet don't count. A tweet without any known token is a row of zeros. A row
        depends on its tweet alone, to the last bit.
        """
        from scipy.sparse import csr_array

        owners, columns = self._known(values, lengths)
        kept = len(self.tokens)
        keys = np.sort(owners * kept + columns)
        firsts = np.flatnonzero(np.diff(keys, prepend=-1))
        counts = np.diff(firsts, append=len(keys))
        owners, columns = np.divmod(keys[firsts], max(kept, 1))
        weights = np.log1p(counts, dtype=np.float32) * self.inverse_frequencies[columns]
        starts = np.searchsorted(owners, np.arange(len(lengths) + 1))
        squares = np.bincount(owners, np.square(weights, dtype=np.float64), len(lengths))
        weights /= np.maximum(np.sqrt(squares), np.finfo(np.float32).tiny)[owners]
        return csr_array((weights, columns, starts), shape=(len(lengths), kept))

    @cached_property
    def _places(self) -> Integers:
        """The column of each token id, up to one beyond the last kept one; _UNKNOWN if it has no column."""
        places = np.full(int(self.tokens.max(initial=-1)) + 2, _UNKNOWN, np.int64)
        places[self.tokens] = np.arange(len(self.tokens))
        return places

    def _known(self, values: Tokens, lengths: Integers) -> tuple[Integers, Integers]:
        """Returns tweet and column of every known token that is neither first nor last: int64 [known] each."""
        places = self._places
        # As unsigned, a negative token is beyond the last one too, so it is unknown.
        columns = places[np.minimum(values.view(np.uint32), len(places) - 1)]
        ends = np.cumsum(lengths)[lengths > 0]
        columns[ends - 1] = _UNKNOWN
        columns[ends - lengths[lengths > 0]] = _UNKNOWN
        known = np.flatnonzero(columns != _UNKNOWN)
        return np.repeat(np.arange(len(lengths)), lengths)[known], columns[known]


def fit_weights(values: Tokens, lengths: Integers, least_tweets: int = LEAST_TWEETS) -> TokenWeights:
    """Keeps tokens that occur in at least `least_tweets` tweets; idf = log((tweets + 1) / (tweets with it + 1))."""
    tokens = np.unique(values)
    occurring = TokenWeights(tokens, np.ones(len(tokens), np.float32)).rows(values, lengths)
    tweets = np.bincount(occurring.indices, minlength=len(tokens))
    kept = np.flatnonzero(tweets >= least_tweets)
    inverse = np.log((len(lengths) + 1) / (tweets[kept] + 1))
    return TokenWeights(tokens[kept].astype(np.int32), inverse.astype(np.float32))
