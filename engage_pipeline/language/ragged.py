"""Token lists of unequal length as flat numpy arrays, their batches and their zero-padding."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline.numerics.token_bytes import tokens_of
from engage_pipeline.schema import PAD_TOKEN

Integers = npt.NDArray[np.int64]
_BATCHES_PER_GROUP = 50


@dataclass(frozen=True)
class TokenLists:
    """List i is the `lengths[i]` tokens of `values` int32 [tokens] from `starts[i]` on; both int64 [lists]."""

    values: npt.NDArray[np.int32]
    starts: Integers
    lengths: Integers

    @classmethod
    def of_table(cls, table: pa.Table, max_tokens: int | None) -> Self:
        """Makes the list of each row of `table`, cut to its first `max_tokens` tokens; None = uncut."""
        offsets, values = tokens_of(table)
        lengths = np.diff(offsets)
        cut = lengths if max_tokens is None else np.minimum(lengths, max_tokens)
        return cls(values, offsets[:-1], cut)

    def __len__(self) -> int:
        """Returns the number of lists."""
        return len(self.starts)

    def take(self, rows: Integers) -> Self:
        """Returns the lists `rows`, in that order."""
        return type(self)(self.values, self.starts[rows], self.lengths[rows])

    def compact(self, rows: Integers) -> Self:
        """Returns the lists `rows`, in that order, with only their tokens in `values`."""
        taken = self.take(rows)
        return type(self)(taken.flat()[0], np.cumsum(taken.lengths) - taken.lengths, taken.lengths)

    def flat(self) -> tuple[npt.NDArray[np.int32], Integers]:
        """Returns all tokens, list after list [tokens], and the index of each token's list [tokens]."""
        owners = np.repeat(np.arange(len(self)), self.lengths)
        firsts = np.cumsum(self.lengths) - self.lengths
        return self.values[np.arange(len(owners)) + (self.starts - firsts)[owners]], owners

    def pad(self, rows: Integers) -> tuple[Integers, npt.NDArray[np.bool_]]:
        """Zero-pads the lists `rows` to the longest: ids and whether each is a token, both [rows, longest]."""
        lengths = self.lengths[rows]
        places = np.arange(lengths.max(initial=0))
        present = places < lengths[:, None]
        ids = np.full(present.shape, PAD_TOKEN, dtype=np.int64)
        ids[present] = self.values[(self.starts[rows][:, None] + places)[present]]
        return ids, present


def batches_by_length(lengths: Integers, padded_tokens: int) -> list[Integers]:
    """Groups all rows into batches of similar length, each of at most `padded_tokens` after padding or of one row."""
    order = np.argsort(-lengths, kind="stable")
    batches, start = [], 0
    while start < len(order):
        rows = max(1, padded_tokens // max(int(lengths[order[start]]), 1))
        batches.append(order[start : start + rows])
        start += rows
    return batches


def training_batches(lengths: Integers, *, batch_size: int, epochs: int, seed: int) -> list[Integers]:
    """Returns the batch of every step: each epoch has each row once, shuffled, rows of similar length together.

    Rows are shuffled and sorted by length within groups of 50 batches, then the batches are shuffled: little padding,
    random order. The result depends on the arguments alone, so a resumed run takes the same steps.
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
