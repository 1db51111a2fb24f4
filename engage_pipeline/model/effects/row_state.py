"""What a fit knows of each row."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from engage_pipeline.model.effects.design import Block, Design
from engage_pipeline.model.effects.keyed_values import ROW, Array, zeros

Weights = Callable[[np.ndarray], np.ndarray]
"""Returns the weights float32 [n] of rows with rows.FACTS [n]; a row of weight 0 is left out."""


@dataclass(frozen=True)
class RowState:
    """What a fit knows of each row, in memory or in files.

    `labels` uint8 [rows], a bit for each engagement; `weights` float32 [rows]; `residual`, `step` and `breadth` float32
    [rows, 4] (kernels.respond).
    """

    labels: Array
    weights: Array
    residual: Array
    step: Array
    breadth: Array

    @classmethod
    def begin(cls, design: Design, weights: Weights, folder: Path | None) -> Self:
        """Begins with rows that have not been asked yet."""
        size = len(design)
        state = cls(
            zeros("labels", np.dtype(np.uint8), size, folder),
            zeros("weights", np.dtype(np.float32), size, folder),
            *(zeros(name, ROW, size, folder) for name in ("residual", "step", "breadth")),
        )
        for block in design.blocks():
            facts = block.read(design.facts)
            state.labels.write(block.start, np.ascontiguousarray(facts["labels"]))
            state.weights.write(block.start, weights(facts).astype(np.float32))
        return state

    def facts(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        """Returns labels and weights of the rows of a block."""
        return block.read(self.labels), block.read(self.weights)

    def response(self, block: Block) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns residual, step and breadth of the rows of a block."""
        return block.read(self.residual), block.read(self.step), block.read(self.breadth)
