"""The fitted values of some outcomes, on disk."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engage_pipeline.files.flat_arrays import FlatArray
from engage_pipeline.model.effects.design import Block, Design, LocalTerm

CHUNK = 1 << 18
"""So many keys are worked on at a time."""


@dataclass
class Fit:
    """The fit of k problems: `intercept` float64 [k], `effects` float64 [keys, k] by effect; 0 for no key."""

    intercept: np.ndarray
    effects: list[FlatArray]

    @classmethod
    def zeros(cls, design: Design, intercept: np.ndarray, folder: Path) -> "Fit":
        """Returns effects of 0, with their files in `folder`."""
        dtype = np.dtype((np.float64, (len(intercept),)))
        return cls(
            intercept,
            [FlatArray.empty(folder / f"values-{effect}", dtype, size) for effect, size in enumerate(design.sizes())],
        )

    def take(self, problems: Sequence[int], folder: Path) -> "Fit":
        """Returns a copy of the fits of some of the problems, or of one several times, with its files in `folder`."""
        dtype = np.dtype((np.float64, (len(problems),)))
        effects = []
        for values in self.effects:
            own = FlatArray.empty(folder / values.path.name, dtype)
            for start in range(0, len(values), CHUNK):
                own.append(values.read(start, min(start + CHUNK, len(values)))[:, problems])
            effects.append(own)
        return Fit(self.intercept[list(problems)], effects)

    def publish(self, problem: int, folder: Path) -> list[FlatArray]:
        """Writes the values of one problem into `folder`: float32 [keys] by effect."""
        found = []
        for values in self.effects:
            own = FlatArray.empty(folder / values.path.name, np.float32)
            for start in range(0, len(values), CHUNK):
                own.append(values.read(start, min(start + CHUNK, len(values)))[:, problem])
            found.append(own)
        return found

    def opened(self, design: Design) -> "OpenFit":
        """Reads the values of the shared effects of `design` into memory."""
        shared = {
            effect: self.effects[effect].read()
            for term in design.terms
            if not isinstance(term, LocalTerm)
            for effect in term.effects
        }
        return OpenFit(design, self, shared)


@dataclass(frozen=True)
class OpenFit:
    """A fit with the values of its `shared` effects in memory, float64 [keys, k]."""

    design: Design
    fit: Fit
    shared: dict[int, np.ndarray]

    def parts(self, block: Block) -> np.ndarray:
        """Returns the value of each effect in each row of a block, float64 [effects, n, k]."""
        found = np.empty((len(self.fit.effects), block.stop - block.start, len(self.fit.intercept)))
        for term in self.design.terms:
            codes = block.codes(term)
            if isinstance(term, LocalTerm):
                self.fit.effects[term.effect].read(*term.keys(block)).take(
                    codes, axis=0, out=found[term.effect], mode="clip"
                )
                continue
            for place, effect in enumerate(term.effects):
                own = codes if term.cells is None else term.cells[place][codes]
                self.shared[effect].take(own, axis=0, out=found[effect], mode="clip")
        return found

    def log_odds(self, block: Block) -> np.ndarray:
        """Returns the log-odds of the rows of a block, float64 [n, k]."""
        return np.asarray(self.fit.intercept + self.parts(block).sum(axis=0))
