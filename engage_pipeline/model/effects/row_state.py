"""What a chain knows of each row, and steps that are taken and not yet in the log-odds of the rows."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engage_pipeline.model.effects import kernels
from engage_pipeline.model.effects.design import NO_SLOPES, Block, Design, Readable
from engage_pipeline.model.effects.keyed_values import ROW, Array, zeros

Weights = Callable[[np.ndarray], np.ndarray]
"""Returns the weights float32 [n] of rows with rows.FACTS [n]; a row of weight 0 is left out."""


@dataclass(frozen=True)
class RowState:
    """What a chain knows of each row, in memory or in files.

    `labels` uint8 [rows], a bit for each engagement; `weights` float32 [rows]; `odds`, the log-odds, and `curvature` of
    the log likelihood, float32 [rows, 4].
    """

    labels: Array
    weights: Array
    odds: Array
    curvature: Array

    @classmethod
    def begin(cls, design: Design, weights: Weights, folder: Path | None) -> "RowState":
        """Begins with log-odds of 0."""
        size = len(design)
        state = cls(
            zeros("labels", np.dtype(np.uint8), size, folder),
            zeros("weights", np.dtype(np.float32), size, folder),
            zeros("odds", ROW, size, folder),
            zeros("curvature", ROW, size, folder),
        )
        for block in design.blocks():
            facts = block.read(design.facts)
            state.labels.write(block.start, np.ascontiguousarray(facts["labels"]))
            state.weights.write(block.start, weights(facts).astype(np.float32))
        return state

    def facts(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        """Returns labels and weights of the rows of a block."""
        return block.read(self.labels), block.read(self.weights)


@dataclass(frozen=True)
class Moved:
    """Steps that are taken and not yet in the log-odds: float32 [codes, 4], for the `codes` [rows] of the rows."""

    codes: Readable
    steps: np.ndarray

    def apply(self, block: Block, odds: np.ndarray) -> None:
        """Moves the log-odds of a block."""
        codes = block.read(self.codes).astype(np.int32, copy=False)
        kernels.add_rows(codes, NO_SLOPES, self.steps, odds)
