"""Finds and removes the rows and rejected lines of deleted tweets and users in one ingested part.

What does not belong here: the lists (lists), and which artifacts are searched (forgetting).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.lib.stride_tricks import sliding_window_view

from engage_pipeline.engines.duckdb import DuckDBEngine
from engage_pipeline.files.atomic import atomic_file
from engage_pipeline.files.parquet import batches
from engage_pipeline.ingest.deletions.lists import CHALLENGE_ID, Deletions
from engage_pipeline.ingest.parsing.parquet_columns import not_utf8
from engage_pipeline.ingest.rejects import RejectTally, RejectWriter, read_rejects, rejected_file
from engage_pipeline.ingest.tweet_files import PIECE_ROWS, TweetWriter
from engage_pipeline.schema import LINE_NUMBER

_WINDOWS_AT_ONCE = 1 << 18
_BLANK = ord("\n")
"""A byte that no id has."""


@dataclass(frozen=True)
class PartFiles:
    """The two files of an ingested part."""

    tweets: Path
    rejects: Path


@dataclass(frozen=True)
class Hits:
    """The line numbers of a part's deleted rows, int64 (rows,), and of its deleted rejects."""

    rows: npt.NDArray[np.int64]
    rejected: frozenset[int]

    @property
    def lines(self) -> int:
        """The number of deleted lines of the raw part."""
        return len(self.rows) + len(self.rejected)


class DeletedRows:
    """Finds and removes the rows and rejected lines that match the lists of `deletions`, on one engine."""

    def __init__(self, engine: DuckDBEngine, deletions: Deletions) -> None:
        """Registers the lists with the engine."""
        self._engine = engine
        self.digest = deletions.digest
        tweets, users = _in_either_case(deletions.tweets), _in_either_case(deletions.users)
        for name, ids in (("deleted_tweet_ids", tweets), ("deleted_user_ids", users)):
            engine.connection.register(name, pa.table({"id": pa.chunked_array(ids, pa.string())}))
        self._windows = _Windows([*tweets, *users])

    def in_tweets(self, tweets: Path) -> npt.NDArray[np.int64]:
        """Returns the line numbers of the deleted rows of the typed part `tweets`."""
        self._engine.read("tweets", [tweets])
        return self._engine.fetch("ingest/deletions/deleted_tweets.sql")[LINE_NUMBER].to_numpy()

    def in_rejects(self, rejects: Path) -> set[int]:
        """Returns the numbers of the rejected lines that hold a deleted id anywhere in their bytes."""
        found: set[int] = set()
        for candidates in self._candidates(rejects):
            self._engine.connection.register("candidates", candidates)
            hits = self._engine.fetch("ingest/deletions/deleted_candidates.sql")
            found.update(hits[LINE_NUMBER].to_pylist())
        return found

    def _candidates(self, rejects: Path) -> Iterator[pa.Table]:
        """Yields line numbers and what could be an id in the rejected lines, about _WINDOWS_AT_ONCE at once."""
        held, size = [], 0
        for reject in read_rejects(rejects):
            for texts in self._windows.within(reject.raw):
                numbers = pa.array(np.full(len(texts), reject.line, np.int64))
                held.append(pa.table({LINE_NUMBER: numbers, "id": texts}))
                size += len(texts)
                if size >= _WINDOWS_AT_ONCE:
                    yield pa.concat_tables(held)
                    held, size = [], 0
        if held:
            yield pa.concat_tables(held)

    def find(self, part: PartFiles) -> Hits:
        """Finds the deleted rows and rejected lines of the part."""
        return Hits(self.in_tweets(part.tweets), frozenset(self.in_rejects(part.rejects)))

    def remove(self, part: PartFiles, hits: Hits, output: PartFiles) -> RejectTally:
        """Writes the part without its `hits` to `output`, in its order; returns the tally of the remaining rejects.

        The bytes equal those of an ingest of the raw part with its deleted lines blanked.
        """
        with pq.ParquetFile(part.tweets) as file, TweetWriter(output.tweets, file.schema_arrow) as tweets:
            for table in batches(file, PIECE_ROWS):
                kept = ~np.isin(table[LINE_NUMBER].to_numpy(), hits.rows)
                for rows in table.filter(pa.array(kept)).to_batches():
                    tweets.write(rows)
        return _rejects_without(part.rejects, hits.rejected, output.rejects)

    def remove_rejects(self, rejects: Path) -> int:
        """Replaces a file of rejected lines atomically by one without the deleted lines; returns their number."""
        found = self.in_rejects(rejects)
        if found:
            with atomic_file(rejects) as kept:
                _rejects_without(rejects, found, kept)
        return len(found)

    def remove_in_place(self, part: PartFiles, hits: Hits) -> RejectTally:
        """Does the same as `remove` in place, for files that nobody reads yet."""
        kept = PartFiles(*(path.with_name(f".{path.name}.kept") for path in (part.tweets, part.rejects)))
        try:
            tally = self.remove(part, hits, kept)
            kept.tweets.replace(part.tweets)
            kept.rejects.replace(part.rejects)
        finally:
            kept.tweets.unlink(missing_ok=True)
            kept.rejects.unlink(missing_ok=True)
        return tally


def _in_either_case(ids: pa.StringArray) -> list[pa.StringArray]:
    """Returns `ids`, and those of the challenge's form that are written in another case, in capitals and in small
    letters. Others are other ids in another case."""
    of_the_form = ids.filter(pc.match_substring_regex(ids, CHALLENGE_ID))
    changed = [change(of_the_form) for change in (pc.ascii_upper, pc.ascii_lower)]
    return [ids, *(one.filter(pc.not_equal(one, of_the_form)) for one in changed)]


def _rejects_without(rejects: Path, lines: Collection[int], output: Path) -> RejectTally:
    """Writes the rejects except those of `lines`; returns the tally of the remaining ones."""
    with RejectWriter(output, rejected_file(rejects)) as writer:
        for reject in read_rejects(rejects):
            if reject.line not in lines:
                writer.append(reject)
    return writer.tally


class _Windows:
    """Substrings of a line that could be an id: same length and alphabet as one.

    Every id that occurs in a line is among them. With ids of 32 hex digits, few other substrings are.
    """

    def __init__(self, ids: Sequence[pa.StringArray]) -> None:
        """Takes lengths and alphabet from `ids`."""
        lengths: set[int] = set()
        letters: set[int] = set()
        for array in ids:
            lengths.update(pc.unique(pc.binary_length(array)).to_pylist())
            letters.update(np.unique(_bytes_of(array)).tolist())
        self._lengths = sorted(lengths)
        self._blanked = bytes(byte if byte in letters else _BLANK for byte in range(256))

    def within(self, line: bytes) -> Iterator[pa.StringArray]:
        """Yields the substrings of one line, at most _WINDOWS_AT_ONCE at once."""
        letters = np.frombuffer(line.translate(self._blanked), np.uint8)
        blanks = np.concatenate([[0], np.cumsum(letters == _BLANK, dtype=np.int32)])  # before each byte
        for length in self._lengths:
            if length > len(letters):
                return
            windows = sliding_window_view(letters, length)  # [windows, length], not copied
            starts = np.flatnonzero(blanks[length:] == blanks[:-length])
            for first in range(0, len(starts), _WINDOWS_AT_ONCE):
                yield _texts(windows[starts[first : first + _WINDOWS_AT_ONCE]])


def _texts(windows: npt.NDArray[np.uint8]) -> pa.StringArray:
    """Returns the rows of bytes [n, length] that are UTF-8, as every id is."""
    ends = np.arange(0, windows.size + 1, windows.shape[1], dtype=np.int32)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(windows.ravel())]
    texts = pa.BinaryArray.from_buffers(pa.binary(), len(windows), buffers)
    wrong = not_utf8(texts)
    return (texts if wrong is None else texts.filter(pa.array(~wrong))).cast(pa.string())


def _bytes_of(array: pa.StringArray) -> npt.NDArray[np.uint8]:
    """Returns the joined bytes of the strings, uint8."""
    _, _, data = pa.concat_arrays([array]).buffers()
    return np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
