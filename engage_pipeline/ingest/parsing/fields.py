"""The columns of checked lines as typed rows.

What belongs here: which column holds what, the engagement day, the reasons for values that can't be read. What does
not: malformed lines (lines), how a kind of value is read (values, tokens), files and the line counts (part_ingest).
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from engage_pipeline.ingest.parsing.blocks import TextBlock
from engage_pipeline.ingest.parsing.tokens import read_tokens
from engage_pipeline.ingest.parsing.values import Flags, bytes_of, read_booleans, read_integers, read_lists, too_long
from engage_pipeline.ingest.rejects import Reject, RejectWriter
from engage_pipeline.schema import (
    COLUMNS,
    ENGAGEMENT_DAY,
    ENGAGEMENTS,
    FIELD_SEPARATOR,
    LINE_NUMBER,
    MAX_TEXT_BYTES,
    N_TEST_COLUMNS,
    SPLIT,
    TEXT_TOKENS,
    TEXT_TOKENS_HIGH,
    VOCABULARY_SIZE,
    Kind,
    engagement_timestamp,
    tweet_schema,
)

LABEL_IS_A_TIME = (
    "a time is needed: that of the engagement, or where it is not known that of the showing; null where there was none"
)
"""What a column of labels holds, for who has truth values."""
Split = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.int32]]
SECONDS_A_DAY = 86_400
LAST_DAY = int(np.iinfo(np.int32).max)
"""The last engagement day; the first one is -LAST_DAY - 1."""
EXPECTED = {
    Kind.TOKENS: f"no tab-separated token ids from 0 to {VOCABULARY_SIZE - 1}",
    Kind.INTEGER: "no integer of 64 bits",
    Kind.BOOLEAN: "neither true nor false",
    Kind.STRING: f"longer than {MAX_TEXT_BYTES} bytes",
    Kind.STRINGS: f"a list with a text longer than {MAX_TEXT_BYTES} bytes",
}
"""What a text that can't be read as its kind is."""


class TypedRows:
    """Reads the columns of lines. A line with a value that can't be read goes to the rejects, in no set order."""

    def __init__(self, *, labelled: bool, split: Split | None, rejects: RejectWriter) -> None:
        """With `split`, which maps line numbers (n,) to their place in the split (n,), rows end in schema.SPLIT."""
        self.schema = tweet_schema(labelled=labelled, validation=split is not None)
        self._columns = COLUMNS if labelled else COLUMNS[:N_TEST_COLUMNS]
        self._of_kind = {
            kind: [index for index, column in enumerate(self._columns) if column.kind is kind] for kind in Kind
        }
        self._times = [engagement_timestamp(engagement) for engagement in ENGAGEMENTS] if labelled else []
        self._split = split
        self._rejects = rejects

    def read(self, block: TextBlock) -> pa.RecordBatch:
        """Returns the lines whose every value can be read as rows of `schema`, in order."""
        values: dict[str, pa.Array] = {LINE_NUMBER: pa.array(block.numbers)}
        bad: dict[str, Flags] = {}
        flags: Flags | None
        for kind, indices in self._of_kind.items():
            names = [self._columns[index].name for index in indices]
            if kind is Kind.TOKENS:
                values[TEXT_TOKENS], values[TEXT_TOKENS_HIGH], flags = read_tokens(block.column_with_end(*indices))
            else:
                found, flags = _read(block, indices, kind)
                values |= {name: found.slice(place * len(block), len(block)) for place, name in enumerate(names)}
            if flags is not None and flags.any():
                bad |= zip(names, flags.reshape(len(names), len(block)), strict=True)
        values[ENGAGEMENT_DAY], bad[ENGAGEMENT_DAY] = self._days(values)
        if self._split is not None:
            values[SPLIT] = pa.array(self._split(block.numbers), pa.int32())
        rows = pa.RecordBatch.from_arrays([values[name] for name in self.schema.names], schema=self.schema)
        problems = [(name, bad[name]) for name in self.schema.names if name in bad and bad[name].any()]
        return self._without(rows, block, problems) if problems else rows

    def _days(self, values: dict[str, pa.Array]) -> tuple[pa.Int32Array, Flags]:
        """Returns the day of the latest engagement, else of the tweet, else 0, and which days exceed 32 bits: (n,)."""
        times = [values[name] for name in self._times]
        latest = [pc.max_element_wise(*times)] if times else []
        seconds = pc.coalesce(*latest, values["tweet_timestamp"], pa.scalar(0, pa.int64()))
        days = seconds.to_numpy(zero_copy_only=False) // SECONDS_A_DAY
        return pa.array(days.astype(np.int32)), (days < -LAST_DAY - 1) | (days > LAST_DAY)

    def _without(self, rows: pa.RecordBatch, block: TextBlock, problems: list[tuple[str, Flags]]) -> pa.RecordBatch:
        """Returns the rows without a problem; each other row is rejected with its first problem as the reason."""
        good = np.ones(len(block), dtype=np.bool_)
        for name, bad in problems:
            for place in np.flatnonzero(bad & good).tolist():
                raw = block.line(place)
                self._rejects.append(Reject(int(block.numbers[place]), self._reason(name, raw), raw))
            good &= ~bad
        return rows.filter(pa.array(good))

    def _reason(self, problem: str, raw: bytes) -> str:
        fields = dict(zip((column.name for column in self._columns), raw.decode().split(FIELD_SEPARATOR), strict=False))
        if problem == ENGAGEMENT_DAY:
            return f"{ENGAGEMENT_DAY}: the time of the last engagement, or of the tweet, is beyond 32 bits of days"
        kind = next(column.kind for column in self._columns if column.name == problem)
        return f"{problem}: {fields[problem][:100]!r} is {EXPECTED[kind]}"


def _read(block: TextBlock, indices: Sequence[int], kind: Kind) -> tuple[pa.Array, Flags | None]:
    """Returns the values of k columns of a kind, (k * n,), and which can't be read; None if all can."""
    texts = block.columns(indices)
    if kind is Kind.INTEGER:
        return read_integers(texts)
    if kind is Kind.BOOLEAN:
        return read_booleans(texts)
    values = read_lists(texts) if kind is Kind.STRINGS else texts
    return values, too_long(values) if np.diff(bytes_of(texts)[0]).max(initial=0) > MAX_TEXT_BYTES else None
