"""What the effects of a fit say of rows: the mean and the variance of their log-odds, summed over the effects."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engage_pipeline.model.effects import kernels
from engage_pipeline.model.effects.design import Block, Design, LocalTerm, SharedTerm
from engage_pipeline.model.effects.exchanges import Keys
from engage_pipeline.model.effects.keyed_values import KEY, Array, in_lines


@dataclass
class LogOdds:
    """What `keys`, float32 [keys, 8] of each effect of `design`, say of rows."""

    design: Design
    keys: Sequence[Array]
    _shared: dict[int, np.ndarray] | None = None

    def keys_of(self, block: Block) -> Keys:
        """Reads the keys of viewers of a block."""
        return {term.effect: self.keys[term.effect].read(*term.keys(block)) for term in self.design.local}

    def add(self, block: Block, own: Keys, means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Adds what all effects say of the rows of a block, by its keys of viewers `own`, to `means` float32 [n, 4].

        Returns these and the variances.
        """
        variances = np.zeros_like(means)
        for term in self.design.terms:
            keys = own[term.effect] if isinstance(term, LocalTerm) else self._of_shared[term.effects[0]]
            kernels.add_keys(block.codes(term), term.slopes(block), keys, means, variances)
        return means, variances

    def forget(self) -> None:
        """Forgets what keys of effects of all blocks say, which have moved."""
        self._shared = None

    @property
    def _of_shared(self) -> dict[int, np.ndarray]:
        """What each code of a shared term says, float32 [codes, 8], by the term's first effect: of a cell the sum."""
        if self._shared is None:
            self._shared = {term.effects[0]: self._of_codes(term) for term in self.design.shared}
        return self._shared

    def _of_codes(self, term: SharedTerm) -> np.ndarray:
        own = [self.keys[effect].read() for effect in term.effects]
        if term.cells is None:
            return own[0]
        found = in_lines(term.size, KEY)
        found[:] = 0
        for values, cells in zip(own, term.cells, strict=True):
            found += values[cells]
        return found
