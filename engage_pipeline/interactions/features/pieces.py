"""Parts cut into pieces that memory holds, each of neighbouring rows of the order in which features are written.

The order is engagement day and line, of test rows line alone. What belongs here: which rows are worked on at a time.
What does not: what is counted for them (writing), and how they are written (rows).
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
"""Row groups of a piece: the largest of the challenge's parts, of 3 million rows, are one where memory allows."""
_ROW_BYTES = 1_500
"""Of a row while it is written, its tokens and ids among them."""
_COUNTS_BYTES = 400
"""Of a row's counters, and of one family of them on its way out of the engine."""
_SHARE = 4
"""Each of the two may take this part of engine.memory_limit; the engine works with half of it."""
_NOWHERE = -1

Places = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Piece:
    """Rows of one part: the Parquet file that holds them, in any order, and the place of each line among them.

    `part` counts the parts. `places` int32 [highest line + 1]; -1 where the file has no such line.
    """

    part: int
    tweets: Path
    places: Places
    rows: int


@dataclass(frozen=True)
class Sizes:
    """Rows of a piece, and of all pieces that are counted at once, at most."""

    piece: int
    at_once: int

    @classmethod
    def within(cls, settings: Settings) -> "Sizes":
        """What fits into engine.memory_limit; at least a row group."""
        share = memory_bytes(settings.engine.memory_limit) // _SHARE
        groups = min(max(share // _ROW_BYTES // ROW_GROUP_ROWS, 1), _MOST_GROUPS)
        piece = groups * ROW_GROUP_ROWS
        return cls(piece, max(share // _COUNTS_BYTES, piece))


def cut(tweets: Path, part: int, order: Sequence[str], most_rows: int, folder: Path) -> Iterator[Piece]:
    """The pieces of the Parquet file `tweets` in the order of its columns `order`, of engagement day and line.

    At most `most_rows` rows each, at least one piece. A part that is cut has its pieces as files in `folder`. Line
    numbers must differ from each other.
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
    """Neighbouring pieces together that have at most so many rows, or one."""
    group: list[Piece] = []
    for piece in pieces:
        if group and sum(other.rows for other in group) + piece.rows > rows:
            yield group
            group = []
        group.append(piece)
    if group:
        yield group


def side_by_side(group: Sequence[Piece]) -> tuple[list[int], Places]:
    """What to add to the line numbers of each piece, so that no two rows share one, and the places of all of them.

    The places count through the pieces one after the other.
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
    """Writes each row of `tweets` to the file that `targets` says, by number, in one pass."""
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
