"""The way back: counts that were made shard by shard return to the row groups of the parts.

Counts are held up to a limit, ordered by part and row group, and written as chunks: the rows of one row group, their
places and counters, compressed. A part reads its chunks row group by row group.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from engage_pipeline.numerics.sorting import argsort
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
    """Counts of rows: `parts` int32 [n], `places` uint32 [n] in their parts, `counters` [c, n], and `scores` int64
    [ENGAGEMENTS, k] of the rows `scored` int64 [k], rising."""

    parts: npt.NDArray[np.int32]
    places: npt.NDArray[np.uint32]
    counters: Matrix
    scored: Positions
    scores: npt.NDArray[np.int64]


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
        whole = _joined(self._held)
        self._held, self._bytes = [], 0
        order = argsort(whole.parts.astype(np.uint64) << np.uint64(32) | whole.places)
        parts, places = whole.parts[order], whole.places[order].astype(np.int64)
        scored = np.empty(len(order), np.int64)
        scored[order] = np.arange(len(order))
        scored = scored[whole.scored]
        by_place = np.argsort(scored)
        scored, scores = scored[by_place], whole.scores[:, by_place]
        index, path = [], self._folder / f"{self._name}-{self._files:04}.arrow"
        with _chunks_of(path).open("wb") as file:
            for part, group, start, rows in self._row_groups(parts, places):
                inside = slice(*np.searchsorted(scored, [rows.start, rows.stop]).tolist())
                within, own = places[rows] - start, scores[:, inside]
                data = _chunk(within, whole.counters, order[rows], scored[inside] - rows.start, own)
                packed = pa.compress(data, _CODEC)
                wide = whole.counters.dtype.itemsize > 2
                sizes = {"rows": len(within), "scored": own.shape[1], "bytes": len(data), "packed": packed.size}
                index.append({"part": part, "group": group, "wide": wide, "start": file.tell(), **sizes})
                file.write(packed)
        with pa.ipc.new_file(str(path), _SCHEMA) as writer:
            writer.write_batch(pa.RecordBatch.from_pylist(index, schema=_SCHEMA))
        self._files += 1

    def _row_groups(
        self, parts: npt.NDArray[np.int32], places: Positions
    ) -> Iterator[tuple[int, int, np.int64, slice]]:
        """Yields part, number, first row, and the slice of its rows, of each row group with one of the ordered rows."""
        for part in np.unique(parts).tolist():
            first, last = np.searchsorted(parts, [part, part + 1]).tolist()
            bounds = first + np.append(0, np.searchsorted(places[first:last], self._ends[part])).astype(np.int64)
            starts = np.append(0, self._ends[part])
            for group, (low, high) in enumerate(pairwise(bounds.tolist())):
                if low < high:
                    yield part, group, starts[group], slice(low, high)


def _chunks_of(index: Path) -> Path:
    return index.with_suffix(".chunks")


def _chunk(
    places: Positions, counters: Matrix, rows: Positions, scored: Positions, scores: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint8]:
    """Returns the bytes of a chunk, with the counters of `rows` [n] of `counters`."""
    n, k, size = len(places), len(scored), len(counters) * len(places) * counters.itemsize
    data = np.empty(4 * n + size + 4 * k + scores.nbytes, np.uint8)
    found, after = 4 * n, 4 * n + size
    data[:found].view(np.uint32)[:] = places
    # Without clipping, which nothing needs, numpy would make a copy first.
    counters.take(rows, 1, data[found:after].view(counters.dtype).reshape(len(counters), n), "clip")
    data[after : after + 4 * k].view(np.uint32)[:] = scored
    data[after + 4 * k :].view(np.int64)[:] = scores.ravel()
    return data


def _joined(held: Sequence[Back]) -> Back:
    firsts = np.cumsum([0, *(len(back.places) for back in held)])
    kind = np.result_type(*(back.counters.dtype for back in held))
    return Back(
        np.concatenate([back.parts for back in held]),
        np.concatenate([back.places for back in held]),
        np.concatenate([back.counters.astype(kind, copy=False) for back in held], axis=1),
        np.concatenate([back.scored + first for back, first in zip(held, firsts, strict=False)]),
        np.concatenate([back.scores for back in held], axis=1),
    )


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
