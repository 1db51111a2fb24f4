"""Lines that can't be read, with the reason and their exact bytes: written to and read from a Parquet file."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.errors import one_line

REJECT_SCHEMA = pa.schema(
    [
        pa.field("file", pa.string()),
        pa.field("line_number", pa.int64()),
        pa.field("reason", pa.string()),
        pa.field("raw", pa.binary()),
    ]
)
_BUFFER_BYTES = 8 << 20
_MAX_EXAMPLES = 5
_EXAMPLE_CHARACTERS = 200
_REASON_CHARACTERS = 160
_ID = re.compile(r"[0-9A-Fa-f]{32,}")


@dataclass(frozen=True)
class Reject:
    """One rejected line.

    `line` counts from 0. `reason` begins with its kind (`columns`, `encoding`, … or the name of a column) and a colon.
    `raw`: the line's bytes without line end.
    """

    line: int
    reason: str
    raw: bytes

    @property
    def kind(self) -> str:
        """The part of `reason` before the colon; rejects are counted by it."""
        return self.reason.partition(":")[0]


@dataclass(frozen=True)
class Example:
    """A rejected line: its number from 0, the reason, and its first 200 characters."""

    line: int
    reason: str
    text: str

    def words(self) -> str:
        """Returns number and reason as a message has them, with shortened ids: messages are logged."""
        return one_line(f"line {self.line} (from 0): {shorten_ids(self.reason)[:_REASON_CHARACTERS]}")


@dataclass
class RejectTally:
    """Counts rejects by kind and keeps the first few."""

    reasons: Counter[str] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)

    @property
    def count(self) -> int:
        """The number of rejects."""
        return self.reasons.total()

    def add(self, reject: Reject) -> None:
        """Counts one reject."""
        self.reasons[reject.kind] += 1
        if len(self.examples) < _MAX_EXAMPLES:
            text = reject.raw[: 4 * _EXAMPLE_CHARACTERS].decode(errors="replace")[:_EXAMPLE_CHARACTERS]
            self.examples.append(Example(reject.line, reject.reason, text))

    def shown_examples(self) -> list[dict[str, Any]]:
        """Returns the examples as JSON types with shortened ids: they reach logs, which no deletion does."""
        return [
            {**asdict(example), "reason": shorten_ids(example.reason), "text": shorten_ids(example.text)}
            for example in self.examples
        ]


class Limit(Protocol):
    """Limits the rejected lines of a part (reject_limit.RejectLimit)."""

    def check(self, rejected: int, /) -> None:
        """Raises an error if `rejected` lines are too many."""


class RejectWriter:
    """Writes the rejects of the raw file called `file` in the given order, in little memory."""

    def __init__(self, path: Path, file: str, limit: Limit | None = None) -> None:
        """Creates `path`; without rejects it holds no rows. `limit.check` is called after each reject."""
        self.path, self.file = path, file
        self._limit = limit
        self.tally = RejectTally()
        self._writer = pq.ParquetWriter(path, REJECT_SCHEMA, compression="zstd")
        self._pending: list[Reject] = []
        self._pending_bytes = 0

    def append(self, reject: Reject) -> None:
        """Adds one reject. Raises what `limit` raises."""
        self.tally.add(reject)
        self._pending.append(reject)
        self._pending_bytes += len(reject.raw) + 200
        if self._pending_bytes >= _BUFFER_BYTES:
            self._flush()
        if self._limit:
            self._limit.check(self.tally.count)

    def _flush(self) -> None:
        columns = [
            [self.file] * len(self._pending),
            [reject.line for reject in self._pending],
            [reject.reason for reject in self._pending],
            [reject.raw for reject in self._pending],
        ]
        arrays = [pa.array(values, type=field.type) for values, field in zip(columns, REJECT_SCHEMA, strict=True)]
        self._writer.write_batch(pa.record_batch(arrays, schema=REJECT_SCHEMA))
        self._pending, self._pending_bytes = [], 0

    def __enter__(self) -> Self:
        """The writer itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        """Completes the file."""
        if self._pending and kind is None:
            self._flush()
        self._writer.close()


def read_rejects(path: Path) -> Iterator[Reject]:
    """Yields the rejects of a file that RejectWriter wrote, in its order, in little memory.

    A row group holds about 8 MB: pyarrow's own iteration over a whole file holds the bytes of every group.
    """
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            for batch in file.iter_batches(1000, row_groups=[group], columns=["line_number", "reason", "raw"]):
                yield from map(Reject, *(column.to_pylist() for column in batch.columns))


def shorten_ids(text: str) -> str:
    """Returns `text` with each id cut to its first 4 digits."""
    return _ID.sub(lambda found: f"{found[0][:4]}…", text)


def rejected_file(path: Path) -> str:
    """Returns the name of the raw file of these rejects; empty if there are none."""
    with pq.ParquetFile(path) as file:
        first = next(file.iter_batches(batch_size=1, columns=["file"]), None)
    return "" if first is None or not len(first) else first["file"][0].as_py()
