"""What nested effects exchange: an effect takes over what the keys nested in it had better say together (nesting).

The log-odds of the rows of nested keys stay, so that they need not be asked again; those of a key with several parents
follow what one of these takes over when a sweep asks next. Keys of viewers may be in files, and are not read for an
exchange: a sweep hands on those of a block while it has them. What they say of effects of all blocks is summed (`add`);
once it is of all blocks, each of these takes over its share (`settle`). The keys of viewers lose it when their block is
read next, and those of one viewer exchange then, too, as a block has all of them (`take`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from engage_pipeline.machine.parallel import in_order
from engage_pipeline.model.effects import children
from engage_pipeline.model.effects.kernels import K
from engage_pipeline.model.effects.keyed_values import ROW, Array, Memory, chunks, solved_together
from engage_pipeline.model.effects.nesting import Nested

Keys = dict[int, np.ndarray]
"""Of each effect of viewers, by its number, its keys in one block: float32 [keys, 8]."""


@dataclass
class Exchanges:
    """What the `nested` effects of a fit exchange between two sweeps."""

    nested: Sequence[Nested]
    _sums: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    """Counts and totals of the keys of viewers, while blocks are passed, for each of `_upward`."""
    _shifts: list[np.ndarray] | None = None
    """What is yet to be taken from keys of viewers, float32 [keys of the other effect, 4], for each of `_upward`; None
    where no exchange is yet to end."""

    @property
    def _upward(self) -> list[Nested]:
        """Effects of viewers nested in effects of all blocks."""
        return [one for one in self.nested if one.children is not None and not one.within]

    def parents(self, number: int) -> list[np.ndarray]:
        """Returns the parents, in effects of all blocks, of the keys of block `number`."""
        return [one.of_block(number) for one in self._upward]

    def take(self, number: int, parents: Sequence[np.ndarray], own: Keys, inverse: Sequence[np.ndarray]) -> None:
        """Takes from the keys of block `number` what their `parents` have taken over, and moves what those of viewers
        had better take over from one another. Does nothing unless there is an exchange to end.

        `inverse` are the inverse covariances float64 [4, 4] of all effects.
        """
        if self._shifts is None:
            return
        for one, places, shifts in zip(self._upward, parents, self._shifts, strict=True):
            children.take_from_children(places, own[one.fine], shifts)
        for one in self.nested:
            if one.within:
                places, fine, coarse = one.of_block(number), own[one.fine], own[one.coarse]
                counts, totals = np.zeros(len(coarse)), np.zeros((len(coarse), K))
                children.sum_children(places, fine, counts, totals)
                shifts = np.zeros((len(coarse), K), np.float32)
                children.shift_parents(counts, totals, coarse, inverse[one.fine], inverse[one.coarse], shifts)
                children.take_from_children(places, fine, shifts)

    def begin(self, sizes: Sequence[int], memory: Memory) -> None:
        """Begins sums of no keys in `memory`, of effects with so many keys, `sizes` [effects]."""
        self._sums = _no_sums([sizes[one.coarse] for one in self._upward], memory)

    def add(self, parents: Sequence[np.ndarray], own: Keys) -> None:
        """Adds the keys of a block to the sums of their `parents`."""
        for one, places, (counts, totals) in zip(self._upward, parents, self._sums, strict=True):
            children.sum_children(places, own[one.fine], counts, totals)

    def settle(
        self, keys: Sequence[Array], inverse: Sequence[np.ndarray], threads: int, memories: Sequence[Memory]
    ) -> None:
        """Moves what the keys of effects of all blocks take over: from those of viewers by the sums, which end then,
        and from one another. The first two of `memories` are used once sums that are in them have ended."""
        known: list[tuple[Nested, np.ndarray]] = []
        for one, (counts, totals) in zip(self._upward, self._sums, strict=True):
            for other, shifts in known:
                if other.fine == one.fine:
                    for bounds in chunks(len(one.parents)):
                        both = one.parents.read(*bounds), other.parents.read(*bounds)
                        children.take_from_totals(*both, shifts, totals)
            found = np.zeros((len(totals), K), np.float32)
            _shift(one, counts, totals, keys, inverse, found, threads)
            known.append((one, found))
        self._sums, self._shifts = [], [shifts for _, shifts in known]
        for one in self.nested:
            if one.children is None:
                _exchange(one, keys, inverse, threads, memories)

    def end(self) -> None:
        """Ends an exchange: all blocks have been told what is taken from their keys."""
        self._shifts = None


def _no_sums(sizes: Sequence[int], memory: Memory) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns counts float64 [n] and totals float64 [n, 4] of no keys for each of `sizes`, in `memory`."""
    flat = memory.take((1 + K) * sum(sizes), np.dtype(np.float64))
    flat[:] = 0
    ends = np.cumsum(sizes)[:-1]
    counts, totals = flat[: sum(sizes)], flat[sum(sizes) :].reshape(-1, K)
    return list(zip(np.split(counts, ends), np.split(totals, ends), strict=True)) if sizes else []


def _shift(
    nested: Nested,
    counts: np.ndarray,
    totals: np.ndarray,
    keys: Sequence[Array],
    inverse: Sequence[np.ndarray],
    shifts: np.ndarray,
    threads: int,
) -> None:
    """Moves the keys of the coarse effect by what they take over; writes it into `shifts`."""
    values = keys[nested.coarse].read()

    def work(bounds: tuple[int, int]) -> None:
        own, both = slice(*bounds), (inverse[nested.fine], inverse[nested.coarse])
        children.shift_parents(counts[own], totals[own], values[own], *both, shifts[own])

    ranges = solved_together(len(values))
    for _ in in_order(work, ranges, min(threads, len(ranges))):
        pass
    shifts[0] = 0
    keys[nested.coarse].write(0, values)


def _exchange(
    nested: Nested, keys: Sequence[Array], inverse: Sequence[np.ndarray], threads: int, memories: Sequence[Memory]
) -> None:
    """Moves what the keys of an effect of all blocks had better take over from those of another one."""
    fine = keys[nested.fine]
    ((counts, totals),) = _no_sums([len(keys[nested.coarse])], memories[1])
    for bounds in chunks(len(fine)):
        children.sum_children(nested.parents.read(*bounds), fine.read(*bounds), counts, totals)
    shifts = memories[0].take(len(totals), ROW)
    _shift(nested, counts, totals, keys, inverse, shifts, threads)

    def take(bounds: tuple[int, int]) -> None:
        own = fine.read(*bounds)
        children.take_from_children(nested.parents.read(*bounds), own, shifts)
        fine.write(bounds[0], own)

    ranges = chunks(len(fine))
    for _ in in_order(take, ranges, min(threads, len(ranges))):
        pass
