"""The counters of a window in memory, looked up by key: what one row at a time is given its features from.

About 32 bytes a counted key and 48 a user, hashtag or tweet. What belongs here: tables and their search. What does
not: which features a row has (one_row), and the join that serves whole parts (features).
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
"""By raw column, of one row."""
NOTHING: Counts = [0] * len(COUNTS)
SCORE_UNITS = 1e12
"""Similarity scores are added as integers of 1e-12, as in similar_scores.sql."""
_HEAD_BYTES = 8


class Numbers:
    """Dense numbers of ids from 1, in the order of the ids' UTF-8 bytes, as counting gave them."""

    def __init__(self, path: Path) -> None:
        """Reads `id`, whose rows stand in the order of their numbers."""
        self.ids = pq.read_table(path, columns=["id"])["id"].cast(pa.large_string()).combine_chunks()
        self._heads = _heads(self.ids)

    def of(self, identity: str | None) -> int | None:
        """The number of an id; None where it is missing or unknown."""
        if identity is None:
            return None
        head = np.uint64(int.from_bytes(identity.encode()[:_HEAD_BYTES].ljust(_HEAD_BYTES, b"\0")))
        first, last = (int(self._heads.searchsorted(head, side)) for side in ("left", "right"))
        place = bisect_left(range(last), identity, lo=first, key=lambda row: self.ids[row].as_py())
        return place + 1 if place < last and self.ids[place].as_py() == identity else None

    def of_all(self, identities: pa.ChunkedArray) -> npt.NDArray[np.int64]:
        """The numbers of ids that are all known, int64 [n]."""
        return pc.index_in(identities.cast(pa.large_string()), value_set=self.ids).to_numpy().astype(np.int64) + 1


class Languages:
    """The numbers of a window's languages, which stand in no order of theirs."""

    def __init__(self, path: Path) -> None:
        """Reads `language` and `number`."""
        table = pq.read_table(path, columns=["language", "number"])
        pairs = zip(table["language"].to_pylist(), table["number"].to_pylist(), strict=True)
        self._numbers: dict[str | None, int] = dict(pairs)

    def of(self, language: str | None) -> int | None:
        """The number of a language; None where it is missing or unknown."""
        return self._numbers.get(language)


def _heads(ids: pa.LargeStringArray) -> npt.NDArray[np.uint64]:
    """The first bytes of each id as a number, zeros behind shorter ones: rising as the ids are."""
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
    """Of one key: `codes` int64 [n], key and viewer in one, rising; `counts` int32 [n, 6] in the order of COUNTS."""

    codes: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int32]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads the file of a key's totals, which counting ordered by key and viewer."""
        table = pq.read_table(path)
        key, viewer = (table[name].to_numpy().astype(np.int64) for name in ("key", "viewer"))
        return cls(key << 32 | viewer, np.column_stack([table[name].to_numpy() for name in COUNTS]))

    def of(self, key: int | None, viewer: int | None = 0) -> Counts:
        """The counts of a key; zeros where it was never counted or a part of it is not known."""
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
        """Reads the files of the `folder` that counting wrote for `keys`."""
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
        """The numbers of what `row` holds in each raw column that a key is read from; None = missing or unknown."""
        return {
            column: [numbers.of(value) for value in (row[column] if isinstance(row[column], list) else [row[column]])]
            for column, numbers in self._columns.items()
        }

    def counts(self, key: Key, numbers: RowNumbers) -> Counts:
        """The counts of a row's `key`; where it has several, their sum."""
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
        """Number and score (in 1e-12) of each."""
        if author is None:
            return []
        first, last = self.author.searchsorted((author, author + 1))
        return list(zip(self.similar[first:last].tolist(), self.scores[first:last].tolist(), strict=True))


def engagements(similar: Sequence[tuple[int, int]], pairs: Totals, viewer: int | None) -> list[float]:
    """SIMILARITY_FEATURES: a viewer's engagements with the `similar` authors by score, and the sum of the scores."""
    counts = [(score, pairs.of(author, viewer)) for author, score in similar]
    sums = [sum(score * found[place] for score, found in counts) for place in range(4)]
    return [total / SCORE_UNITS for total in (*sums, sum(score for _, score in similar))]
