"""Which keys of an effect are nested in which of another, a viewer's pairs in the viewer, and what they exchange."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engage_pipeline.files.flat_arrays import FlatArray
from engage_pipeline.machine.parallel import in_order
from engage_pipeline.model.effects import children
from engage_pipeline.model.effects.design import Block, Design, LocalTerm, Term
from engage_pipeline.model.effects.effects import Effect
from engage_pipeline.model.effects.kernels import K
from engage_pipeline.model.effects.keyed_values import Array, Memory, chunks, solved_together
from engage_pipeline.numerics.compilation import compiled

_UNKNOWN = -1
_COUNT, _TOTAL = np.dtype(np.float64), np.dtype((np.float64, (K,)))


@dataclass(frozen=True)
class Nested:
    """For each key of the effect `fine`, by place, the key of the effect `coarse` that all its rows have; 0 where they
    have several: `parents` int32 [keys].

    Where both are effects of viewers, a block has the keys of both, and a parent is its place among those of the block:
    `blocks` int64 [2, blocks + 1] are LocalTerm.first of fine and coarse.
    """

    fine: int
    coarse: int
    parents: FlatArray
    blocks: np.ndarray | None = None


def find_nested(design: Design, effects: Sequence[Effect], folder: Path, threads: int = 1) -> list[Nested]:
    """Finds the keys of each effect in those of its `parents`, with files in `folder`, by `threads` threads."""
    places = {effect.name: place for place, effect in enumerate(effects)}
    folder.mkdir(parents=True, exist_ok=True)
    terms: dict[int, tuple[Term, int]] = {}
    for term in design.terms:
        for place, number in enumerate((term.effect,) if isinstance(term, LocalTerm) else term.effects):
            terms[number] = term, place
    sizes = design.sizes()

    def find(pair: tuple[int, int]) -> Nested:
        fine, coarse = pair
        parents, blocks = np.full(sizes[fine], _UNKNOWN, np.int32), _blocks(terms[fine][0], terms[coarse][0])
        for block in design.blocks():
            coarse_keys = _keys(block, *terms[coarse]) if blocks is None else block.codes(terms[coarse][0])
            _note(_keys(block, *terms[fine]), coarse_keys, parents)
        file = FlatArray.empty(folder / f"{fine}-{coarse}", np.int32)
        file.append(np.maximum(parents, 0))
        return Nested(fine, coarse, file, blocks)

    pairs = [(fine, places[name]) for fine, effect in enumerate(effects) for name in effect.parents if name in places]
    return list(in_order(find, pairs, threads))


def _blocks(fine: Term, coarse: Term) -> np.ndarray | None:
    """Returns Nested.blocks."""
    if isinstance(fine, LocalTerm) and isinstance(coarse, LocalTerm):
        return np.array([fine.first, coarse.first])
    return None


def exchange(
    nested: Nested, keys: Sequence[Array], covariances: np.ndarray, threads: int, memory: Sequence[Memory]
) -> None:
    """Moves what the keys of the coarse effect had better take over from the keys that are nested in them.

    `keys` and `covariances` [effects, 4, 4] are those of all effects. The log-odds of the rows stay. Sums over all keys
    are in the first two of `memory`.
    """
    fine, coarse = keys[nested.fine], keys[nested.coarse]
    inverse = [np.linalg.inv(covariances[effect]) for effect in (nested.fine, nested.coarse)]
    if nested.blocks is not None:
        _exchange_in_blocks(nested.parents, nested.blocks, fine, coarse, inverse, threads)
        return
    values = coarse.read()
    counts, totals = (one.take(len(values), dtype) for one, dtype in zip(memory[:2], (_COUNT, _TOTAL), strict=True))
    counts[:], totals[:] = 0, 0

    def read(bounds: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        return nested.parents.read(*bounds), fine.read(*bounds)

    def shift(bounds: tuple[int, int]) -> None:
        own = slice(*bounds)
        children.shift_parents(counts[own], totals[own], values[own], *inverse)

    def take(bounds: tuple[int, int]) -> None:
        parents, own = read(bounds)
        children.take_from_children(parents, own, totals)
        fine.write(bounds[0], own)

    for parents, own in in_order(read, chunks(len(fine)), threads):
        children.sum_children(parents, own, counts, totals)
    totals[0] = 0
    for work, ranges in ((shift, solved_together(len(values))), (take, chunks(len(fine)))):
        for _ in in_order(work, ranges, min(threads, len(ranges))):
            pass
    coarse.write(0, values)


def _exchange_in_blocks(
    all_parents: FlatArray, blocks: np.ndarray, fine: Array, coarse: Array, inverse: Sequence[np.ndarray], threads: int
) -> None:
    """Does that for two effects of viewers, whose keys are in `blocks` [2, blocks + 1], a block at a time."""

    def work(number: int) -> None:
        (first, last), (first_coarse, last_coarse) = blocks[:, number : number + 2].tolist()
        parents, own = all_parents.read(first, last), fine.read(first, last)
        values = coarse.read(first_coarse, last_coarse)
        counts, totals = np.zeros(len(values)), np.zeros((len(values), K))
        children.sum_children(parents, own, counts, totals)
        totals[0] = 0
        children.shift_parents(counts, totals, values, *inverse)
        children.take_from_children(parents, own, totals)
        coarse.write(first_coarse, values)
        fine.write(first, own)

    for _ in in_order(work, range(blocks.shape[1] - 1), threads):
        pass


def _keys(block: Block, term: Term, place: int) -> np.ndarray:
    """The place of the key of each row of a block among all keys of the effect; 0 for none."""
    codes = block.codes(term)
    if isinstance(term, LocalTerm):
        return np.where(codes, codes + np.int32(term.first[block.number]), np.int32(0))
    return codes if term.cells is None else term.cells[place][codes].astype(np.int32)


@compiled()
def _note(fine: np.ndarray, coarse: np.ndarray, parents: np.ndarray) -> None:
    for row in range(len(fine)):
        if fine[row] == 0 or parents[fine[row]] == _UNKNOWN:
            parents[fine[row]] = coarse[row] if fine[row] else 0
        elif parents[fine[row]] != coarse[row]:
            parents[fine[row]] = 0
