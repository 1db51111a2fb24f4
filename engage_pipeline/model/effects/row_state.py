"""What a fit knows of each row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from engage_pipeline.model.effects.design import Block, Design
from engage_pipeline.model.effects.keyed_values import ROW, Array, Memory, room

Weights = Callable[[np.ndarray], np.ndarray]
"""Returns the weights float32 [n] of rows with rows.FACTS [n]; a row of weight 0 is left out."""
RESPONSES = "residual", "step", "breadth"


@dataclass
class RowState:
    """What a fit knows of each row, in files of `folder`; None = in memory.

    `labels` uint8 [rows], a bit for each engagement; `weights` float32 [rows], 0 from `stops` int64 [blocks] to the end
    of each block. What rows say while the fit sweeps
    (kernels.respond) is made anew by each sweep: `residual`, `step` and `breadth`, float32 [rows, 4]. They are empty
    before the first sweep and after `rest`; the first `held` of them are in memory in any case.
    """

    labels: Array
    weights: Array
    stops: np.ndarray
    folder: Path | None
    held: int
    residual: Array
    step: Array
    breadth: Array

    @classmethod
    def begin(cls, design: Design, weights: Weights, folder: Path | None, held: int) -> Self:
        """Begins with rows that have not been asked yet."""
        size = len(design)
        labels = room("labels", np.dtype(np.uint8), size, folder)
        own = room("weights", np.dtype(np.float32), size, folder)
        stops = design.starts[:-1].copy()
        for block in design.blocks():
            facts = block.read(design.facts)
            found = weights(facts).astype(np.float32)
            labels.write(block.start, np.ascontiguousarray(facts["labels"]))
            own.write(block.start, found)
            if found.any():
                stops[block.number] += np.flatnonzero(found)[-1] + 1
        return cls(labels, own, stops, folder, held, *_nothing())

    def wake(self, memories: Sequence[Memory]) -> None:
        """Makes place for what the rows say, unless it is there: what is in memory in one of `memories` each."""
        if len(self.residual) < len(self.labels):
            self.residual, self.step, self.breadth = (
                room(name, ROW, len(self.labels), None if place < self.held else self.folder, memory)
                for place, (name, memory) in enumerate(zip(RESPONSES, memories, strict=True))
            )

    def rest(self) -> None:
        """Forgets what the rows say; a sweep that comes asks them anew."""
        self.residual, self.step, self.breadth = _nothing()

    def facts(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        """Returns labels and weights of the rows of a block."""
        return block.read(self.labels), block.read(self.weights)

    def response(self, block: Block) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns residual, step and breadth of the rows of a block."""
        return block.read(self.residual), block.read(self.step), block.read(self.breadth)

    def write(self, block: Block, *response: np.ndarray) -> None:
        """Writes residual, step and breadth of the rows of a block."""
        for array, values in zip((self.residual, self.step, self.breadth), response, strict=True):
            array.write(block.start, values)


def _nothing() -> tuple[Array, Array, Array]:
    residual, step, breadth = (room(name, ROW, 0, None) for name in RESPONSES)
    return residual, step, breadth
