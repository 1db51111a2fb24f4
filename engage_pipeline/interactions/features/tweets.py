"""The raw columns of tweets as features and look-ups need them: of a table, and of one row in memory.

Both give the same arrays for the same rows. A row in memory goes without Arrow, whose calls cost more than its values.
What does not belong here: what is made of the columns (features.profile, features.windows).
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from engage_pipeline import schema
from engage_pipeline.interactions.shards.rows import Ids, Lists, ids_of_columns, lists_of
from engage_pipeline.numerics.fingerprints import check_of, fingerprint_of
from engage_pipeline.numerics.token_bytes import token_bytes, token_counts

Column = Any
"""A numpy array [n], an Arrow array, or a list of n texts."""
Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Asked:
    """Rows that ask for counts: `ids` of viewer, author and tweet by raw column, hashes of other columns, hashtags."""

    ids: Mapping[str, Ids]
    lists: Mapping[str, Lists]
    rows: int

    def values(self, column: str) -> Ids | Lists:
        """Returns the second parts of keys that are read from the raw `column`."""
        return self.lists[column] if column in self.lists else self.ids[column]


class Tweets(Protocol):
    """n rows of schema.tweet_schema."""

    def __len__(self) -> int:
        """Returns n."""

    @property
    def names(self) -> Collection[str]:
        """The columns."""

    def asked(self, columns: Collection[str]) -> Asked:
        """Returns what look-ups need of the raw `columns`."""

    def whole(self, name: str) -> Column:
        """Returns a column as it is."""

    def tokens(self) -> dict[str, Column]:
        """Returns the columns of the token ids, schema.TOKEN_COLUMNS; none if only their lengths are there."""

    def token_counts(self) -> Numbers:
        """Returns the numbers of token ids, int64 [n]."""

    def known(self, name: str) -> Flags:
        """Returns where a column is not missing, bool [n]."""

    def numbers(self, name: str) -> Numbers:
        """Returns a column of numbers, int64 [n], 0 where missing."""

    def flags(self, name: str) -> Flags:
        """Returns a column of flags, bool [n], false where missing."""

    def lengths(self, name: str) -> Numbers:
        """Returns the lengths of lists, int64 [n], 0 where missing."""

    def equals(self, name: str, value: str) -> Flags:
        """Returns where a text is `value`, bool [n]."""

    def contains(self, name: str, value: str) -> Flags:
        """Returns where a list of texts has `value`, bool [n]."""

    def first(self, name: str) -> Column:
        """Returns the first text of each list; null for an empty list."""


@dataclass(frozen=True)
class TweetRow:
    """One row, from the values of read_line: its line number is 0."""

    row: Mapping[str, Any]

    def __len__(self) -> int:
        """Returns 1."""
        return 1

    @property
    def names(self) -> Collection[str]:
        """The columns of a row without labels."""
        return self.row.keys()

    @cached_property
    def _made(self) -> dict[str, Any]:
        tokens = zip(schema.TOKEN_COLUMNS, token_bytes(self.row[schema.TEXT_TOKENS]), strict=True)
        day = (self.row[schema.TWEET_TIMESTAMP] or 0) // DAY_SECONDS
        return {schema.LINE_NUMBER: 0, schema.ENGAGEMENT_DAY: day, **dict(tokens)}

    def _value(self, name: str) -> Any:
        return self._made[name] if name in self._made else self.row[name]

    def asked(self, columns: Collection[str]) -> Asked:
        """Returns what look-ups need of the raw `columns`."""
        ids, lists = {}, {}
        for name in columns:
            value = self.row[name]
            if isinstance(value, list):
                found = np.array([hash_ for text in value if (hash_ := fingerprint_of(text))], np.uint64)
                lists[name] = Lists(np.array([len(found)]), found)
            else:
                hashes = np.array([fingerprint_of(value)], np.uint64)
                ids[name] = Ids(hashes, np.array([check_of(value)], np.uint16))
        return Asked(ids, lists, 1)

    def whole(self, name: str) -> Column:
        """Returns a column as a list."""
        return [self._value(name)]

    def tokens(self) -> dict[str, Column]:
        """Returns the columns of the token ids as lists."""
        return {name: self.whole(name) for name in schema.TOKEN_COLUMNS}

    def token_counts(self) -> Numbers:
        """Returns the number of token ids, int64 [1]."""
        return np.array([len(self.row[schema.TEXT_TOKENS])])

    def known(self, name: str) -> Flags:
        """Returns where a column is not missing, bool [1]."""
        return np.array([self.row[name] is not None])

    def numbers(self, name: str) -> Numbers:
        """Returns a column of numbers, int64 [1], 0 where missing."""
        return np.array([self.row[name] or 0])

    def flags(self, name: str) -> Flags:
        """Returns a column of flags, bool [1], false where missing."""
        return np.array([bool(self.row[name])])

    def lengths(self, name: str) -> Numbers:
        """Returns the length of a list, int64 [1]."""
        return np.array([len(self.row[name])])

    def equals(self, name: str, value: str) -> Flags:
        """Returns where a text is `value`, bool [1]."""
        return np.array([self.row[name] == value])

    def contains(self, name: str, value: str) -> Flags:
        """Returns where a list of texts has `value`, bool [1]."""
        return np.array([value in self.row[name]])

    def first(self, name: str) -> Column:
        """Returns the first text of the list; None for an empty list."""
        return [next(iter(self.row[name]), None)]


@dataclass(frozen=True)
class TweetTable:
    """The rows of a table; columns of text may be dictionaries."""

    table: pa.Table

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.table)

    @property
    def names(self) -> Collection[str]:
        """The columns."""
        return self.table.column_names

    def asked(self, columns: Collection[str]) -> Asked:
        """Returns what look-ups need of the raw `columns`."""
        several = [name for name in columns if pa.types.is_list(self.table.schema.field(name).type)]
        single = [name for name in columns if name not in several]
        ids = dict(zip(single, ids_of_columns([self.table[name] for name in single]), strict=True))
        return Asked(ids, {name: lists_of(self.table[name]) for name in several}, len(self))

    def whole(self, name: str) -> Column:
        """Returns a column as an Arrow array."""
        return _whole(self.table[name])

    def tokens(self) -> dict[str, Column]:
        """Returns the columns of the token ids; none if the table lacks one of them."""
        there = {*schema.TOKEN_COLUMNS} <= {*self.names}
        return {name: self.whole(name) for name in schema.TOKEN_COLUMNS} if there else {}

    def token_counts(self) -> Numbers:
        """Returns the numbers of token ids, int64 [n]."""
        return token_counts(self.table[schema.TEXT_TOKENS_HIGH])

    def known(self, name: str) -> Flags:
        """Returns where a column is not missing, bool [n]."""
        return self.table[name].is_valid().to_numpy()

    def numbers(self, name: str) -> Numbers:
        """Returns a column of numbers, int64 [n], 0 where missing."""
        return pc.fill_null(self.table[name], 0).to_numpy()

    def flags(self, name: str) -> Flags:
        """Returns a column of flags, bool [n], false where missing."""
        return pc.fill_null(self.table[name], False).to_numpy()

    def lengths(self, name: str) -> Numbers:
        """Returns the lengths of lists, int64 [n], 0 where missing."""
        return pc.fill_null(pc.list_value_length(self.table[name]), 0).to_numpy().astype(np.int64)

    def equals(self, name: str, value: str) -> Flags:
        """Returns where a text is `value`, bool [n]."""
        return _equals(self.table[name], value)

    def contains(self, name: str, value: str) -> Flags:
        """Returns where a list of texts has `value`, bool [n]."""
        lists = self.table[name].combine_chunks()
        equal = _equals(pa.chunked_array([lists.flatten()]), value)
        found = np.zeros(len(lists), np.bool_)
        found[np.asarray(pc.list_parent_indices(lists))[equal]] = True
        return found

    def first(self, name: str) -> Column:
        """Returns the first text of each list; null for an empty list."""
        lists = self.table[name].combine_chunks()
        return lists.values.take(pa.array(np.asarray(lists.offsets)[:-1], mask=self.lengths(name) == 0))


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return (
        column.unify_dictionaries().combine_chunks() if pa.types.is_dictionary(column.type) else column.combine_chunks()
    )


def _equals(column: pa.ChunkedArray, value: str) -> Flags:
    if not pa.types.is_dictionary(column.type):
        return pc.fill_null(pc.equal(column, value), False).to_numpy()
    return _of_dictionary(_whole(column), lambda values: pc.equal(values, value))


def _of_dictionary(column: pa.DictionaryArray, test: Callable[[pa.Array], pa.Array]) -> Flags:
    """Returns the result of a test of each row's value; false where it is missing."""
    passed = np.append(np.asarray(test(column.dictionary).fill_null(False)), False)
    return passed[column.indices.fill_null(len(column.dictionary)).to_numpy(zero_copy_only=False)]
