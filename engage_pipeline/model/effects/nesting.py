"""Which keys of an effect are nested in which of another, a viewer's pairs in the viewer, and what they exchange."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np

from engage_pipeline.files.flat_arrays import FlatArray
from engage_pipeline.model.effects import kernels
from engage_pipeline.model.effects.design import Block, Design, LocalTerm, Term
from engage_pipeline.model.effects.effects import Effect
from engage_pipeline.model.effects.keyed_values import KeyedValues, chunks

_UNKNOWN = -1


@dataclass(frozen=True)
class Nested:
    """For each key of the effect `fine`, by place, the key of the effect `coarse` that all its rows have; 0 where they
    have several: `parents` int32 [keys]."""

    fine: int
    coarse: int
    parents: FlatArray


def find_nested(design: Design, effects: Sequence[Effect], folder: Path) -> list[Nested]:
    """Finds the keys of each effect in those of its `parents`, with files in `folder`."""
    places = {effect.name: place for place, effect in enumerate(effects)}
    folder.mkdir(parents=True, exist_ok=True)
    terms: dict[int, tuple[Term, int]] = {}
    for term in design.terms:
        for place, number in enumerate((term.effect,) if isinstance(term, LocalTerm) else term.effects):
            terms[number] = term, place
    sizes = design.sizes()
    found = []
    for fine, effect in enumerate(effects):
        for name in effect.parents:
            if name not in places:
                continue
            parents = np.full(sizes[fine], _UNKNOWN, np.int32)
            for block in design.blocks():
                _note(_keys(block, *terms[fine]), _keys(block, *terms[places[name]]), parents)
            file = FlatArray.empty(folder / f"{fine}-{places[name]}", np.int32)
            file.append(np.maximum(parents, 0))
            found.append(Nested(fine, places[name], file))
    return found


def exchange(nested: Nested, keys: Sequence[KeyedValues], covariances: np.ndarray, rng: np.random.Generator) -> None:
    """Draws how much the keys of the coarse effect take over from the keys that are nested in them.

    `keys` and `covariances` [effects, 4, 4] are those of all effects. The log-odds of the rows stay.
    """
    fine, coarse = keys[nested.fine].values, keys[nested.coarse].values
    values = coarse.read()
    counts, totals = np.zeros(len(values)), np.zeros(values.shape)
    for start, stop in chunks(len(fine)):
        kernels.sum_children(nested.parents.read(start, stop), fine.read(start, stop), counts, totals)
    inverse = [np.linalg.inv(covariances[effect]) for effect in (nested.fine, nested.coarse)]
    kernels.draw_shifts(counts, totals, values, *inverse, rng)
    coarse.write(0, values)
    for start, stop in chunks(len(fine)):
        own = fine.read(start, stop)
        kernels.take_from_children(nested.parents.read(start, stop), own, totals)
        fine.write(start, own)


def _keys(block: Block, term: Term, place: int) -> np.ndarray:
    """The place of the key of each row of a block among all keys of the effect; 0 for none."""
    codes = block.codes(term)
    if isinstance(term, LocalTerm):
        return np.where(codes, codes + np.int32(term.first[block.number]), np.int32(0))
    return codes if term.cells is None else term.cells[place][codes].astype(np.int32)


@numba.njit(cache=True)
def _note(fine: np.ndarray, coarse: np.ndarray, parents: np.ndarray) -> None:
    for row in range(len(fine)):
        if fine[row] == 0 or parents[fine[row]] == _UNKNOWN:
            parents[fine[row]] = coarse[row] if fine[row] else 0
        elif parents[fine[row]] != coarse[row]:
            parents[fine[row]] = 0
