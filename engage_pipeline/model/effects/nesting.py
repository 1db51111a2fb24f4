"""Which keys of an effect are nested in which of another, as a viewer's pairs are in the viewer."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engage_pipeline.files.flat_arrays import FlatArray
from engage_pipeline.machine.parallel import in_order
from engage_pipeline.model.effects.design import WIDE_CODE, Block, Design, LocalTerm, Term
from engage_pipeline.model.effects.effects import Effect
from engage_pipeline.numerics.compilation import compiled

_UNKNOWN = -1


@dataclass(frozen=True)
class Nested:
    """For each key of the effect `fine`, by place, the key of the effect `coarse` that all its rows have; 0 where they
    have several: `parents` int32 [keys].

    `children` is LocalTerm.first of `fine` if that is an effect of viewers. Where both are, `within`, a parent is its
    place among the keys of its block.
    """

    fine: int
    coarse: int
    parents: FlatArray
    children: np.ndarray | None = None
    within: bool = False

    def of_block(self, number: int) -> np.ndarray:
        """Returns the parents of the keys of a block, of an effect of viewers."""
        if self.children is None:
            raise ValueError(f"effect {self.fine} has keys in all blocks")
        return self.parents.read(*self.children[number : number + 2].tolist())


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
        parents, (own, other) = np.full(sizes[fine], _UNKNOWN, np.int32), (terms[one][0] for one in pair)
        children = own.first if isinstance(own, LocalTerm) else None
        within = children is not None and isinstance(other, LocalTerm)
        for block in design.blocks():
            coarse_keys = block.codes(other).astype(WIDE_CODE) if within else _keys(block, *terms[coarse])
            _note(_keys(block, *terms[fine]), coarse_keys, parents)
        file = FlatArray.empty(folder / f"{fine}-{coarse}", np.int32)
        file.append(np.maximum(parents, 0))
        return Nested(fine, coarse, file, children, within)

    pairs = [(fine, places[name]) for fine, effect in enumerate(effects) for name in effect.parents if name in places]
    return list(in_order(find, pairs, threads))


def _keys(block: Block, term: Term, place: int) -> np.ndarray:
    """The place of the key of each row of a block among all keys of the effect; 0 for none."""
    codes = block.codes(term).astype(WIDE_CODE, copy=False)
    if isinstance(term, LocalTerm):
        return np.where(codes, codes + WIDE_CODE.type(term.first[block.number]), WIDE_CODE.type(0))
    return codes if term.cells is None else term.cells[place][codes].astype(WIDE_CODE)


@compiled()
def _note(fine: np.ndarray, coarse: np.ndarray, parents: np.ndarray) -> None:
    for row in range(len(fine)):
        if fine[row] == 0 or parents[fine[row]] == _UNKNOWN:
            parents[fine[row]] = coarse[row] if fine[row] else 0
        elif parents[fine[row]] != coarse[row]:
            parents[fine[row]] = 0
