"""The counters of a window in memory, looked up by key, for the features of one row at a time.

They take about 32 bytes per counted key and 48 per user, hashtag or tweet. What belongs here: tables and their search.
What does not: which features a row has (features), and the join for whole parts (interactions.features).
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engage_pipeline.interactions.counters.counting import COUNTS, LANGUAGES, numbers_of, totals_file
from engage_pipeline.settings.families import Key

Counts = list[int]
RowNumbers = Mapping[str, Sequence[int | None]]
"""Numbers of a row's values, by raw column."""
NOTHING: Counts = [0] * len(COUNTS)
SCORE_UNITS = 1e12
"""Similarity scores are added as integers of 1e-12, as in similar_scores.sql."""
_HEAD_BYTES = 8


class Numbers:
    """Dense numbers of ids, from 1, in the order of the ids' UTF-8 bytes, as counting assigns them."""

    def __init__(self, path: Path) -> None:
        """Reads the column `id`, whose rows are in the order of their numbers."""
        self.ids = pq.read_table(path, columns=["id"])["id"].cast(pa.large_string()).combine_chunks()
        self._heads = _heads(self.ids)

    def of(self, identity: str | None) -> int | None:
        """Returns the number of an id; None if it is missing or unknown."""
        if identity is None:
            return None
        head = np.uint64(int.from_bytes(identity.encode()[:_HEAD_BYTES].ljust(_HEAD_BYTES, b"\0")))
        first, last = (int(self._heads.searchsorted(head, side)) for side in ("left", "right"))
        place = bisect_left(range(last), identity, lo=first, key=lambda row: self.ids[row].as_py())
        return place + 1 if place < last and self.ids[place].as_py() == identity else None

    def of_all(self, identities: pa.ChunkedArray) -> npt.NDArray[np.int64]:
        """Returns the numbers of ids, int64 [n]; all ids must be known."""
        return pc.index_in(identities.cast(pa.large_string()), value_set=self.ids).to_numpy().astype(np.int64) + 1


class Languages:
    """Numbers of a window's languages, which are not in the order of the names."""

    def __init__(self, path: Path) -> None:
        """Reads the columns `language` and `number`."""
        table = pq.read_table(path, columns=["language", "number"])
        pairs = zip(table["language"].to_pylist(), table["number"].to_pylist(), strict=True)
        self._numbers: dict[str | None, int] = dict(pairs)

    def of(self, language: str | None) -> int | None:
        """Returns the number of a language; None if it is missing or unknown."""
        return self._numbers.get(language)


def _heads(ids: pa.LargeStringArray) -> npt.NDArray[np.uint64]:
    """Returns the first bytes of each id as a number, uint64 [n], padded with zeros; it rises like the ids."""
    heads = np.zeros(len(ids), np.uint64)
    _, offsets, data = ids.buffers()
    if data is None:
        return heads
    ends = np.frombuffer(offsets, np.int64)[ids.offset : ids.offset + len(ids) + 1]
    texts = np.frombuffer(data, np.uint8)
    for place in range(_HEAD_BYTES):
        heads <<= np.uint64(8)
        longer = np.flatnonzero(np.diff(ends) > place)
        heads[longer] |= texts[ends[longer] + place]
    return heads


@dataclass(frozen=True)
class Totals:
    """The totals of one key: `codes` int64 [n], rising, key << 32 | viewer; `counts` int32 [n, 6] as in COUNTS."""

    codes: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int32]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads the file of a key's totals, which is ordered by key and viewer."""
        table = pq.read_table(path)
        key, viewer = (table[name].to_numpy().astype(np.int64) for name in ("key", "viewer"))
        return cls(key << 32 | viewer, np.column_stack([table[name].to_numpy() for name in COUNTS]))

    def of(self, key: int | None, viewer: int | None = 0) -> Counts:
        """Returns the counts of a key; zeros if it was never counted or a part of it is unknown."""
        if key is None or viewer is None:
            return NOTHING
        code = key << 32 | viewer
        place = int(self.codes.searchsorted(np.int64(code)))
        if place == len(self.codes) or self.codes[place] != code:
            return NOTHING
        return self.counts[place].tolist()


class Window:
    """One scope of a window: the numbers of its ids, and the totals of its keys."""

    def __init__(self, folder: Path, scope: str, keys: Sequence[Key]) -> None:
        """Reads the files of `keys` in the `folder` of a window's counts."""
        self._numbers = {name: _read_numbers(folder, name) for name in numbers_of(keys)}
        self._columns = {key.column: self._numbers[key.numbers] for key in keys}
        self.totals = {key.name: Totals.read(folder / totals_file(scope, key.name)) for key in keys}

    @property
    def users(self) -> Numbers:
        """The numbers of authors and viewers."""
        users = self._numbers["user_numbers"]
        assert isinstance(users, Numbers)  # noqa: S101 - narrows the type for the checker
        return users

    def numbers(self, row: Mapping[str, Any]) -> RowNumbers:
        """Returns the numbers of the values in each raw column of `row` that a key reads; None = missing or unknown."""
        return {
            column: [numbers.of(value) for value in (row[column] if isinstance(row[column], list) else [row[column]])]
            for column, numbers in self._columns.items()
        }

    def counts(self, key: Key, numbers: RowNumbers) -> Counts:
        """Returns the counts of a row's `key`, or the sum if the row has several."""
        viewer = numbers[key.viewer][0] if key.viewer else 0
        found = [self.totals[key.counted].of(number, viewer) for number in numbers[key.column]]
        return [sum(counts) for counts in zip(NOTHING, *found, strict=True)] if key.several else found[0]


def _read_numbers(folder: Path, name: str) -> "Numbers | Languages":
    path = folder / f"{name}.parquet"
    return Languages(path) if name == LANGUAGES else Numbers(path)


class SimilarAuthors:
    """The similar authors of each author, by number in the training window."""

    def __init__(self, path: Path, users: Numbers) -> None:
        """Reads the file of similar_authors."""
        table = pq.read_table(path, columns=["author", "similar", "jaccard"])
        author = users.of_all(table["author"])
        order = np.argsort(author, kind="stable")
        self.author = author[order]
        self.similar = users.of_all(table["similar"])[order]
        self.scores = np.round(table["jaccard"].to_numpy()[order] * SCORE_UNITS).astype(np.int64)

    def of(self, author: int | None) -> list[tuple[int, int]]:
        """Returns number and score (in 1e-12) of each author similar to `author`."""
        if author is None:
            return []
        first, last = self.author.searchsorted((author, author + 1))
        return list(zip(self.similar[first:last].tolist(), self.scores[first:last].tolist(), strict=True))


def engagements(similar: Sequence[tuple[int, int]], pairs: Totals, viewer: int | None) -> list[float]:
    """Returns SIMILARITY_FEATURES: a viewer's engagements with `similar` authors x scores, and the sum of scores."""
    counts = [(score, pairs.of(author, viewer)) for author, score in similar]
    sums = [sum(score * found[place] for score, found in counts) for place in range(4)]
    return [total / SCORE_UNITS for total in (*sums, sum(score for _, score in similar))]
