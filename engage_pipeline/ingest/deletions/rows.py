"""Finds and removes what deleted tweets and users left in one ingested part: its rows and its rejected lines.

What belongs here: which rows and lines go, and files without them. What does not: the lists (lists), and which
artifacts are looked through (forgetting).
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from duckdb import ColumnExpression

from engage_pipeline.engines.duckdb import DuckDBEngine
from engage_pipeline.files.atomic import atomic_file
from engage_pipeline.ingest.deletions.lists import Deletions
from engage_pipeline.ingest.rejects import RejectTally, RejectWriter, read_rejects, rejected_file
from engage_pipeline.ingest.sorting import Order
from engage_pipeline.ingest.tweet_files import PIECE_ROWS, TweetWriter
from engage_pipeline.schema import LINE_NUMBER

_SORTED_BY: dict[Order, tuple[str, ...]] = {"tweet": ("tweet_id", LINE_NUMBER), "line": (LINE_NUMBER,)}
_REJECTS_AT_ONCE = 1000


@dataclass(frozen=True)
class PartFiles:
    """The two files of an ingested part."""

    tweets: Path
    rejects: Path


@dataclass(frozen=True)
class Hits:
    """What is deleted in a part: how many rows, and the numbers of which rejected lines."""

    rows: int
    rejected: frozenset[int]

    @property
    def lines(self) -> int:
        """All lines of the raw part that are deleted."""
        return self.rows + len(self.rejected)


class DeletedRows:
    """The rows and rejected lines that the lists of `deletions` hit, over one engine."""

    def __init__(self, engine: DuckDBEngine, deletions: Deletions) -> None:
        """Gives the lists to the engine."""
        self._engine = engine
        self.digest = deletions.digest
        for name, ids in (("deleted_tweet_ids", deletions.tweets), ("deleted_user_ids", deletions.users)):
            engine.connection.register(name, pa.table({"id": ids}))
        self._windows = _Windows([deletions.tweets, deletions.users])

    def in_tweets(self, tweets: Path) -> int:
        """How many rows of the typed part `tweets` are deleted: reads its three columns of ids."""
        self._engine.read("tweets", [tweets])
        return int(self._engine.fetch("ingest/deletions/deleted_tweets.sql")["n"][0].as_py())

    def in_rejects(self, rejects: Path) -> set[int]:
        """Numbers of the rejected lines that hold a deleted id anywhere in their bytes."""
        found: set[int] = set()
        lines = read_rejects(rejects)
        while batch := list(islice(lines, _REJECTS_AT_ONCE)):
            pairs = [(reject.line, text) for reject in batch for text in self._windows.of(reject.raw)]
            numbers, texts = zip(*pairs, strict=True) if pairs else ((), ())
            columns = {LINE_NUMBER: pa.array(numbers, pa.int64()), "id": pa.array(texts, pa.string())}
            self._engine.connection.register("candidates", pa.table(columns))
            hits = self._engine.fetch("ingest/deletions/deleted_candidates.sql")
            found.update(hits[LINE_NUMBER].to_pylist())
        return found

    def find(self, part: PartFiles) -> Hits:
        """What the part holds of deleted tweets and users."""
        return Hits(self.in_tweets(part.tweets), frozenset(self.in_rejects(part.rejects)))

    def remove(self, part: PartFiles, hits: Hits, output: PartFiles, order: Order) -> RejectTally:
        """Writes the part without its `hits` to `output`; returns the tally of the rejects that stay.

        The bytes are those of an ingest of the raw part with its deleted lines blanked.
        """
        self._engine.read("tweets", [part.tweets])
        self._engine.view("kept_tweets", "ingest/deletions/kept_tweets.sql")
        rows = self._engine.connection.table("kept_tweets")
        in_order = rows.sort(*map(ColumnExpression, _SORTED_BY[order]))
        with TweetWriter(output.tweets, pq.read_schema(part.tweets)) as tweets:
            for batch in in_order.to_arrow_reader(PIECE_ROWS):
                tweets.write(batch)
        return _rejects_without(part.rejects, hits.rejected, output.rejects)

    def remove_rejects(self, rejects: Path) -> int:
        """Replaces a file of rejected lines by one without the deleted, at once; returns how many these are."""
        found = self.in_rejects(rejects)
        if found:
            with atomic_file(rejects) as kept:
                _rejects_without(rejects, found, kept)
        return len(found)

    def remove_in_place(self, part: PartFiles, hits: Hits, order: Order) -> RejectTally:
        """The same for files that nobody reads yet."""
        kept = PartFiles(*(path.with_name(f".{path.name}.kept") for path in (part.tweets, part.rejects)))
        try:
            tally = self.remove(part, hits, kept, order)
            kept.tweets.replace(part.tweets)
            kept.rejects.replace(part.rejects)
        finally:
            kept.tweets.unlink(missing_ok=True)
            kept.rejects.unlink(missing_ok=True)
        return tally


def _rejects_without(rejects: Path, lines: Collection[int], output: Path) -> RejectTally:
    """Writes the rejects without those of some `lines`; the tally of those that stay."""
    with RejectWriter(output, rejected_file(rejects)) as writer:
        for reject in read_rejects(rejects):
            if reject.line not in lines:
                writer.append(reject)
    return writer.tally


class _Windows:
    """The stretches of a line that may be one of some ids: as long as one of them, and of no bytes but theirs.

    Every id that occurs in a line is one of its windows, whatever stands beside it. For ids of 32 hex digits, few
    other stretches are.
    """

    def __init__(self, ids: Sequence[pa.StringArray]) -> None:
        """Of the lines that may hold one of `ids`."""
        lengths: set[int] = set()
        letters: set[int] = set()
        for array in ids:
            lengths.update(pc.unique(pc.binary_length(array)).to_pylist())
            letters.update(np.unique(_bytes_of(array)).tolist())
        self._lengths = sorted(lengths)
        self._blanked = bytes(byte if byte in letters else ord(" ") for byte in range(256))

    def of(self, line: bytes) -> Iterator[str]:
        """The windows of one line."""
        for run in line.translate(self._blanked).split(b" "):
            for length in self._lengths:
                for start in range(len(run) - length + 1):
                    window = run[start : start + length]
                    if window.isascii():
                        yield window.decode("ascii")
                    else:
                        yield from _decoded(window)


def _decoded(window: bytes) -> Iterator[str]:
    """The window as text, if it is text: ids are."""
    with suppress(UnicodeDecodeError):
        yield window.decode()


def _bytes_of(array: pa.StringArray) -> npt.NDArray[np.uint8]:
    """All bytes of the strings, one after the other."""
    _, _, data = pa.concat_arrays([array]).buffers()
    return np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
