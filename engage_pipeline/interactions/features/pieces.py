"""Parts cut into pieces that fit into memory, each of neighbouring rows in the order of the features.

The order is by engagement day and line, for test rows by line only. What belongs here: which rows are worked on at a
time. What does not: their counts (writing), and how they are written (rows).
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from engage_pipeline.engines.engine import ROW_GROUP_ROWS
from engage_pipeline.files.parquet import batches
from engage_pipeline.machine.shares import memory_bytes
from engage_pipeline.schema import ENGAGEMENT_DAY, LINE_NUMBER
from engage_pipeline.settings.settings import Settings

_MOST_GROUPS = 32
"""Largest number of row groups in a piece: enough for the challenge's largest parts, of 3 million rows."""
_ROW_BYTES = 1_500
"""Memory of a row while it is written, including its tokens and ids."""
_COUNTS_BYTES = 400
"""Memory of a row's counters, plus one family of them that the engine returns."""
_SHARE = 4
"""Written rows and counters may each take 1 / _SHARE of engine.memory_limit; the engine has the other half."""
_NOWHERE = -1

Places = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Piece:
    """Rows of one part: the Parquet file that holds them, in any order, and the place of each line among them.

    `part` is the index of the part. `places` is int32 [highest line + 1]; -1 for lines that the file does not have.
    """

    part: int
    tweets: Path
    places: Places
    rows: int


@dataclass(frozen=True)
class Sizes:
    """The largest number of rows in a piece, and in all pieces that are counted at once."""

    piece: int
    at_once: int

    @classmethod
    def within(cls, settings: Settings) -> "Sizes":
        """Returns the sizes that fit into engine.memory_limit; at least a row group."""
        share = memory_bytes(settings.engine.memory_limit) // _SHARE
        groups = min(max(share // _ROW_BYTES // ROW_GROUP_ROWS, 1), _MOST_GROUPS)
        piece = groups * ROW_GROUP_ROWS
        return cls(piece, max(share // _COUNTS_BYTES, piece))


def cut(tweets: Path, part: int, order: Sequence[str], most_rows: int, folder: Path) -> Iterator[Piece]:
    """Yields the pieces of the Parquet file `tweets` in the order of its columns `order` (engagement day, line).

    There is at least one piece; each has at most `most_rows` rows. Several pieces are written as files into `folder`.
    Line numbers must be distinct.
    """
    table = pq.read_table(tweets, columns=[LINE_NUMBER, ENGAGEMENT_DAY], use_threads=False)
    lines = table[LINE_NUMBER].to_numpy()
    ranks = np.empty(len(lines), np.int32)
    ranks[np.lexsort([table[name].to_numpy() for name in reversed(order)])] = np.arange(len(lines), dtype=np.int32)
    if len(lines) <= most_rows:
        yield Piece(part, tweets, _by_line(lines, ranks), len(lines))
        return
    targets = ranks // most_rows
    for number, path in enumerate(_distribute(tweets, targets, folder / f"{part:05}")):
        inside = targets == number
        yield Piece(part, path, _by_line(lines[inside], ranks[inside] - number * most_rows), int(inside.sum()))


def groups(pieces: Iterable[Piece], rows: int) -> Iterator[list[Piece]]:
    """Yields groups of neighbouring pieces of at most `rows` rows together; a larger piece is a group of its own."""
    group: list[Piece] = []
    for piece in pieces:
        if group and sum(other.rows for other in group) + piece.rows > rows:
            yield group
            group = []
        group.append(piece)
    if group:
        yield group


def side_by_side(group: Sequence[Piece]) -> tuple[list[int], Places]:
    """Returns what to add to the line numbers of each piece to make them distinct, and the places of all rows.

    The places number the rows of the pieces one after the other.
    """
    firsts = list(accumulate((len(piece.places) for piece in group), initial=0))[:-1]
    starts = list(accumulate((piece.rows for piece in group), initial=0))[:-1]
    return firsts, np.concatenate([_shifted(piece.places, start) for piece, start in zip(group, starts, strict=True)])


def _by_line(lines: npt.NDArray[np.int64], ranks: Places) -> Places:
    places = np.full(int(lines.max(initial=-1)) + 1, _NOWHERE, np.int32)
    places[lines] = ranks
    return places


def _shifted(places: Places, start: int) -> Places:
    return np.where(places == _NOWHERE, _NOWHERE, places + np.int32(start))


def _distribute(tweets: Path, targets: Places, prefix: Path) -> list[Path]:
    """Writes each row of `tweets` to the file with its number in `targets`, in one pass."""
    paths = [prefix.with_name(f"{prefix.name}-{number:05}.parquet") for number in range(int(targets.max()) + 1)]
    with pq.ParquetFile(tweets) as file, ExitStack() as stack:
        writers = [
            stack.enter_context(pq.ParquetWriter(path, file.schema_arrow, compression="lz4", use_dictionary=False))
            for path in paths
        ]
        start = 0
        for table in batches(file, ROW_GROUP_ROWS):
            chosen = targets[start : start + len(table)]
            start += len(table)
            by_target = np.argsort(chosen, kind="stable")
            bounds = np.searchsorted(chosen[by_target], np.arange(len(paths) + 1))
            for writer, first, last in zip(writers, bounds[:-1], bounds[1:], strict=True):
                if first < last:
                    writer.write_table(table.take(by_target[first:last]))
    return paths
