"""Token lists of unequal length as two flat arrays, their batches, and zero-padding. Plain numpy."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline.schema import PAD_TOKEN

Integers = npt.NDArray[np.int64]
_BATCHES_PER_GROUP = 50


@dataclass(frozen=True)
class TokenLists:
    """`values` [tokens] int32, the lists one after the other; `starts` and `lengths` [lists] int64 cut them out."""

    values: npt.NDArray[np.int32]
    starts: Integers
    lengths: Integers

    @classmethod
    def from_arrow(cls, column: pa.ChunkedArray, max_tokens: int | None) -> Self:
        """The lists of `column`, each cut to its first `max_tokens` tokens; None = uncut."""
        lists = column.combine_chunks()
        offsets = lists.offsets.to_numpy().astype(np.int64)
        lengths = np.diff(offsets)
        cut = lengths if max_tokens is None else np.minimum(lengths, max_tokens)
        return cls(lists.values.to_numpy(zero_copy_only=False), offsets[:-1], cut)

    def __len__(self) -> int:
        """How many lists there are."""
        return len(self.starts)

    def take(self, rows: Integers) -> Self:
        """Some of the lists, in the order of `rows`."""
        return type(self)(self.values, self.starts[rows], self.lengths[rows])

    def compact(self, rows: Integers) -> Self:
        """Some of the lists, in the order of `rows`, with no token but theirs in `values`."""
        taken = self.take(rows)
        return type(self)(taken.flat()[0], np.cumsum(taken.lengths) - taken.lengths, taken.lengths)

    def flat(self) -> tuple[npt.NDArray[np.int32], Integers]:
        """All tokens, list after list [tokens], and the list that each belongs to [tokens]."""
        owners = np.repeat(np.arange(len(self)), self.lengths)
        firsts = np.cumsum(self.lengths) - self.lengths
        return self.values[np.arange(len(owners)) + (self.starts - firsts)[owners]], owners

    def pad(self, rows: Integers) -> tuple[Integers, npt.NDArray[np.bool_]]:
        """Lists `rows` zero-padded to the longest of them: ids [rows, longest] and which of them are tokens."""
        lengths = self.lengths[rows]
        places = np.arange(lengths.max(initial=0))
        present = places < lengths[:, None]
        ids = np.full(present.shape, PAD_TOKEN, dtype=np.int64)
        ids[present] = self.values[(self.starts[rows][:, None] + places)[present]]
        return ids, present


def batches_by_length(lengths: Integers, padded_tokens: int) -> list[Integers]:
    """Every row once, in batches of rows of like length with at most `padded_tokens` after padding (or one row)."""
    order = np.argsort(-lengths, kind="stable")
    batches, start = [], 0
    while start < len(order):
        rows = max(1, padded_tokens // max(int(lengths[order[start]]), 1))
        batches.append(order[start : start + rows])
        start += rows
    return batches


def training_batches(lengths: Integers, *, batch_size: int, epochs: int, seed: int) -> list[Integers]:
    """The batches of every step: each epoch has each row once, shuffled, rows of like length together.

    Rows are shuffled, sorted by length within groups of 50 batches, and the batches shuffled again, so that little is
    padded and the order stays random. A function of its arguments alone: any step can be made without the ones before.
    """
    steps: list[Integers] = []
    for epoch in range(epochs):
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(len(lengths))
        group = batch_size * _BATCHES_PER_GROUP
        sorted_groups = [
            part[np.argsort(-lengths[part], kind="stable")]
            for part in (order[start : start + group] for start in range(0, len(order), group))
        ]
        flat = np.concatenate(sorted_groups) if sorted_groups else order
        batches = [flat[start : start + batch_size] for start in range(0, len(flat), batch_size)]
        steps += [batches[index] for index in rng.permutation(len(batches))]
    return steps
