"""The rows by which the number of trees is chosen, each held out once, and their logits by other trees."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from engage_pipeline.model.trees.rows import TreeRows
from engage_pipeline.model.validation_roles import tested_folds
from engage_pipeline.settings.settings import Settings

MOST_SCORED = 100_000
"""At most about so many held-out rows are scored for the blend: more would not change its weights."""


@dataclass(frozen=True)
class HeldOutRows:
    """The folds that are tested. `members`: of each the positions, among the learning rows, of the rows to train on and
    of those held out.

    Of the m held-out rows that are scored, fold after fold: `learned` int [m] are the positions among the learning
    rows, `places` int [m] those in the file, `matrix` float32 [m, columns] what the trees read, `sizes` the number of
    each fold.
    """

    members: list[tuple[np.ndarray, np.ndarray]]
    learned: np.ndarray
    places: np.ndarray
    matrix: np.ndarray
    sizes: list[int]

    @classmethod
    def of(cls, rows: TreeRows, settings: Settings) -> Self:
        """Takes the first folds that together have trees.tested_rows rows, or all."""
        held = [(fold, np.flatnonzero(rows.folds == fold)) for fold in tested_folds(rows.folds, settings)]
        members = [(np.flatnonzero(rows.folds != fold), own) for fold, own in held]
        step = -(-sum(len(own) for _, own in held) // MOST_SCORED)
        scored = [own[::step] for _, own in held]
        learned = np.concatenate(scored)
        chosen = rows.learning[learned]
        return cls(members, learned, rows.places[chosen], rows.matrix[chosen], [len(own) for own in scored])

    def trees(self, boosters: Sequence[Any], iterations: int) -> np.ndarray:
        """Returns the sum of the first `iterations` trees of the booster of each fold for its rows, float64 [m]."""
        if not iterations:
            return np.zeros(len(self.learned))
        pieces = np.split(self.matrix, np.cumsum(self.sizes)[:-1])
        found = [
            booster.predict(piece, raw_score=True, num_iteration=iterations) if len(piece) else np.zeros(0)
            for booster, piece in zip(boosters, pieces, strict=True)
        ]
        return np.concatenate(found)
