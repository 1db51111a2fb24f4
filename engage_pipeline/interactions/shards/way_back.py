"""The way back: counts that were made shard by shard return to the row groups of the parts.

Counts are held up to a limit, and written as chunks by part and row group: the rows of one row group, their places and
counters, compressed. Those of a shard are ordered, so that a row group takes neighbours of each: counters are copied in
runs, not gathered. A part reads its chunks row group by row group.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from engage_pipeline.schema import ENGAGEMENTS

Matrix = npt.NDArray[np.unsignedinteger]
Positions = npt.NDArray[np.int64]
_SCHEMA = pa.schema(
    [
        ("part", pa.int32()),
        ("group", pa.int32()),
        ("rows", pa.int32()),
        ("scored", pa.int32()),
        ("wide", pa.bool_()),
        ("bytes", pa.int64()),
        ("start", pa.int64()),
        ("packed", pa.int64()),
    ]
)
"""The chunks of a file beside it, in which each lies from `start` on in `packed` bytes, `bytes` of which it is made."""
_CODEC = "lz4"


@dataclass(frozen=True)
class Back:
    """Counts of rows: `parts` int32 [n], `places` uint32 [n] in their parts, by which the rows are ordered, `counters`
    [c, n], and `scores` int64 [ENGAGEMENTS, k] of the rows `scored` int64 [k], rising."""

    parts: npt.NDArray[np.int32]
    places: npt.NDArray[np.uint32]
    counters: Matrix
    scored: Positions
    scores: npt.NDArray[np.int64]

    def rows(self, low: int, high: int) -> Self:
        """Returns the rows from `low` to before `high`; nothing is copied but `scored`."""
        inside = slice(*np.searchsorted(self.scored, [low, high]).tolist())
        return replace(
            self,
            parts=self.parts[low:high],
            places=self.places[low:high],
            counters=self.counters[:, low:high],
            scored=self.scored[inside] - low,
            scores=self.scores[:, inside],
        )

    def row_groups(self, ends: Sequence[Positions]) -> Iterator[tuple[int, int, Self]]:
        """Yields part, number and rows of each row group with one of the rows; `ends` are those of every part's row
        groups, int64."""
        for part in np.unique(self.parts).tolist():
            first, last = np.searchsorted(self.parts, [part, part + 1]).tolist()
            bounds = first + np.append(0, np.searchsorted(self.places[first:last], ends[part]))
            for group, (low, high) in enumerate(pairwise(bounds.tolist())):
                if low < high:
                    yield part, group, self.rows(low, high)


class BackWriter:
    """Writes counts to files `<name>-<number>.chunks`, and what is in them to `<name>-<number>.arrow`."""

    def __init__(self, folder: Path, name: str, ends: Sequence[Positions], held_bytes: int) -> None:
        """`ends` are the ends of the row groups of each part, int64; `held_bytes` of counters are written at once."""
        self._folder, self._name, self._ends, self._most = folder, name, ends, held_bytes
        self._held: list[Back] = []
        self._bytes = self._files = 0

    def __enter__(self) -> Self:
        """The writer itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        """Writes what is held."""
        if kind is None and self._held:
            self._flush()

    def add(self, back: Back) -> None:
        """Adds counts."""
        self._held.append(back)
        self._bytes += back.counters.nbytes
        if self._bytes >= self._most:
            self._flush()

    def _flush(self) -> None:
        pieces: dict[tuple[int, int], list[Back]] = {}
        for back in self._held:
            for part, group, rows in back.row_groups(self._ends):
                pieces.setdefault((part, group), []).append(rows)
        index, path = [], self._folder / f"{self._name}-{self._files:04}.arrow"
        with _chunks_of(path).open("wb") as file:
            for (part, group), found in sorted(pieces.items(), key=itemgetter(0)):
                sizes, data = _chunk(found, self._ends[part][group - 1] if group else 0)
                packed = pa.compress(data, _CODEC)
                index.append({"part": part, "group": group, "start": file.tell(), "packed": packed.size, **sizes})
                file.write(packed)
        with pa.ipc.new_file(str(path), _SCHEMA) as writer:
            writer.write_batch(pa.RecordBatch.from_pylist(index, schema=_SCHEMA))
        self._held, self._bytes = [], 0
        self._files += 1


def _chunks_of(index: Path) -> Path:
    return index.with_suffix(".chunks")


def _chunk(pieces: Sequence[Back], start: int) -> tuple[dict[str, Any], npt.NDArray[np.uint8]]:
    """Returns what the index says of a chunk of a row group, whose first row is `start`, and its bytes."""
    kind = np.result_type(*(piece.counters.dtype for piece in pieces))
    n, k = sum(len(piece.places) for piece in pieces), sum(len(piece.scored) for piece in pieces)
    found = 4 * n
    after = found + len(pieces[0].counters) * n * kind.itemsize
    data = np.empty(after + 4 * k + 8 * len(ENGAGEMENTS) * k, np.uint8)
    places, scored = data[:found].view(np.uint32), data[after : after + 4 * k].view(np.uint32)
    counters = data[found:after].view(kind).reshape(len(pieces[0].counters), n)
    scores = data[after + 4 * k :].view(np.int64).reshape(len(ENGAGEMENTS), k)
    row = score = 0
    for piece in pieces:
        rows, marked = slice(row, row + len(piece.places)), slice(score, score + len(piece.scored))
        np.subtract(piece.places, start, out=places[rows], casting="unsafe")
        counters[:, rows] = piece.counters
        scored[marked] = piece.scored + row
        scores[:, marked] = piece.scores
        row, score = rows.stop, marked.stop
    return {"rows": n, "scored": k, "bytes": len(data), "wide": kind.itemsize > 2}, data


class BackReader:
    """Reads the counts of one part, row group by row group."""

    def __init__(self, paths: Sequence[Path], part: int, counters: int) -> None:
        """`counters` is the number of counters of a row."""
        self._counters = counters
        self._chunks: dict[int, list[tuple[pa.Buffer, dict[str, Any]]]] = {}
        for path in paths:
            index = pa.ipc.open_file(str(path)).get_batch(0)
            chunks = pa.memory_map(str(_chunks_of(path))).read_buffer()
            for chunk in index.filter(pc.equal(index["part"], part)).to_pylist():
                self._chunks.setdefault(chunk["group"], []).append((chunks, chunk))

    def group(self, number: int, rows: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Returns the counters int32 [counters, rows] and scores int64 [ENGAGEMENTS, rows] of a row group."""
        counters = np.zeros((self._counters, rows), np.int32)
        scores = np.zeros((len(ENGAGEMENTS), rows), np.int64)
        for chunks, chunk in self._chunks.get(number, []):
            self._enter(chunks.slice(chunk["start"], chunk["packed"]), chunk, counters, scores)
        return counters, scores

    def _enter(
        self,
        packed: pa.Buffer,
        chunk: Mapping[str, Any],
        counters: npt.NDArray[np.int32],
        scores: npt.NDArray[np.int64],
    ) -> None:
        n, k = chunk["rows"], chunk["scored"]
        kind = np.dtype(np.uint32 if chunk["wide"] else np.uint16)
        data = pa.decompress(packed, chunk["bytes"], _CODEC)
        places = np.frombuffer(data, np.uint32, n)
        found = np.frombuffer(data, kind, n * self._counters, 4 * n).reshape(self._counters, n)
        counters[:, places] = found
        if k:
            start = 4 * n + found.nbytes
            scored = np.frombuffer(data, np.uint32, k, start)
            scores[:, places[scored]] = np.frombuffer(data, np.int64, 4 * k, start + 4 * k).reshape(4, k)
