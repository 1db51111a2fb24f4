"""Tweets as sparse rows with a column for each token of each language.

A weight is log(1 + count) times the inverse document frequency of the token among the tweets of its language.
"""

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
"""Tokens that occur in fewer tweets of a language are left out."""
_TOKEN_BITS = 32
_UNKNOWN = -1
_LEAST = np.finfo(np.float32).tiny


@dataclass(frozen=True)
class TokenColumns:
    """The columns: `keys` int64 [kept], ascending, see `token_keys`; `languages` is the number of languages.

    Kept token ids have at most 24 bits, since the table of them reaches up to the largest.
    """

    keys: Integers
    languages: int

    def bounds(self) -> Integers:
        """Returns where the columns of each language begin, and the end of the last: int64 [languages + 1]."""
        return np.searchsorted(self.keys, np.arange(self.languages + 1) << _TOKEN_BITS)

    def entries(self, tokens: Tokens, lengths: Integers, language: Tokens) -> tuple[Floats, Integers, Integers]:
        """Returns log(1 + count), float32 [entries], and column, int64 [entries], of each kept token of each tweet, as
        they first occur in it, and where each tweet starts, int64 [tweets + 1].

        `tokens` holds tweet after tweet; `language` int32 [tweets] is below `languages`, or equal to it if unknown. The
        first and the last token of each tweet don't count.
        """
        from engage_pipeline.language.token_counts import count

        numbers, table = self._numbers_and_table
        (columns, counts), starts = np.empty((2, len(tokens)), np.int64), np.zeros(len(lengths) + 1, np.int64)
        count(tokens, lengths, language, numbers, table, np.zeros(len(self.keys), np.int64), columns, counts, starts)
        size = int(starts[-1])
        return np.log1p(counts[:size], dtype=np.float32), columns[:size], starts

    @cached_property
    def _numbers_and_table(self) -> tuple[Tokens, Tokens]:
        """The number of each token id, int32 [largest + 2], and the column of each language and number, int32
        [languages + 1, numbers + 1]. The last number is of all tokens without a column, which is _UNKNOWN."""
        language, tokens = np.divmod(self.keys, 1 << _TOKEN_BITS)
        known, places = np.unique(tokens, return_inverse=True)
        numbers = np.full(int(tokens.max(initial=-1)) + 2, len(known), np.int32)
        numbers[known] = np.arange(len(known))
        table = np.full((self.languages + 1, len(known) + 1), _UNKNOWN, np.int32)
        table[language, places] = np.arange(len(self.keys))
        return numbers, table


def token_keys(tokens: Tokens, lengths: Integers, language: Tokens) -> Integers:
    """Returns language * 2^32 + token id of each token, int64 [tokens]; the id as an unsigned number."""
    return (np.repeat(language.astype(np.int64), lengths) << _TOKEN_BITS) | tokens.view(np.uint32)


def fit_columns(
    tokens: Tokens, lengths: Integers, language: Tokens, languages: int, least_tweets: int = LEAST_TWEETS
) -> tuple[TokenColumns, Floats]:
    """Keeps tokens that occur in at least `least_tweets` tweets of a language; returns their columns and their inverse
    document frequencies, log((tweets + 1) / (tweets with the token + 1)), float32 [kept]."""
    keys = np.sort(token_keys(tokens, lengths, language))
    distinct = keys[np.diff(keys, prepend=-1) > 0]  # a tenth of the time of np.unique
    occurring = TokenColumns(distinct[distinct < languages << _TOKEN_BITS], languages)
    tweets = np.bincount(occurring.entries(tokens, lengths, language)[1], minlength=len(occurring.keys))
    kept = np.flatnonzero(tweets >= least_tweets)
    columns = TokenColumns(occurring.keys[kept], languages)
    of_language = np.bincount(language, minlength=languages)[columns.keys >> _TOKEN_BITS]
    return columns, np.log((of_language + 1) / (tweets[kept] + 1)).astype(np.float32)


def weight_rows(
    columns: TokenColumns, inverse_frequencies: Floats, tokens: Tokens, lengths: Integers, language: Tokens
) -> "csr_array":
    """Returns tweets as rows [tweets, kept] of Euclidean length 1; a tweet without any kept token is a row of zeros."""
    from scipy.sparse import csr_array

    weights, places, starts = columns.entries(tokens, lengths, language)
    weights = weights * inverse_frequencies[places]
    owners = np.repeat(np.arange(len(lengths)), np.diff(starts))
    squares = np.bincount(owners, np.square(weights, dtype=np.float64), len(lengths))
    weights /= np.maximum(np.sqrt(squares), _LEAST)[owners]
    return csr_array((weights, places, starts), shape=(len(lengths), len(inverse_frequencies)))
