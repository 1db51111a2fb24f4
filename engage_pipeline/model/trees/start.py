"""The start of the trees: the logits of the pretrained network and of the effects, slightly recalibrated.

start = intercept + pretrained_slope * pretrained logit + effects_slope * logit of the effects
"""

from dataclasses import dataclass

import numpy as np

from engage_pipeline.model.effects.columns import EFFECT_LOGITS
from engage_pipeline.model.trees.inputs import COLUMNS, LOGITS
from engage_pipeline.numerics.logistic import fit_logistic, gaussian_precision
from engage_pipeline.settings.settings import Settings

SHIFT_DEVIATION, SLOPE_DEVIATION, SHARE_DEVIATION = 0.5, 0.25, 0.2
"""Prior standard deviations of the start's shift of the mean logit, of the sum of its slopes around 1, and of the
network's share of that sum."""
NETWORK_SHARE = 0.25
"""The network's share of the slopes in the prior: the effects know most of what the network knows."""


@dataclass(frozen=True)
class BelowTrees:
    """Logits of one engagement, float [n]: of the pretrained network and, if any are on, of the effects."""

    pretrained: np.ndarray
    effects: np.ndarray | None = None


@dataclass(frozen=True)
class Start:
    """intercept + pretrained_slope * pretrained logit + effects_slope * logit of the effects."""

    intercept: float
    pretrained_slope: float
    effects_slope: float

    def logits(self, below: BelowTrees) -> np.ndarray:
        """Returns the logits of the start, float64 [n]."""
        logits = self.intercept + self.pretrained_slope * below.pretrained.astype(np.float64)
        if below.effects is not None:
            logits += self.effects_slope * below.effects.astype(np.float64)
        return logits


def below_trees(matrix: np.ndarray, target: int, settings: Settings) -> BelowTrees:
    """Copies the logits of the engagement TARGETS[target] from the matrix of the trees."""
    pretrained = matrix[:, COLUMNS.index(LOGITS[target])].copy()
    if not settings.features.effects:
        return BelowTrees(pretrained)
    return BelowTrees(pretrained, matrix[:, COLUMNS.index(EFFECT_LOGITS[target])].copy())


def fit_start(below: BelowTrees, labels: np.ndarray) -> Start:
    """Returns the start with the highest posterior on `labels` bool [n]; no slope is negative."""
    ones, share = np.ones(len(labels)), NETWORK_SHARE
    if below.effects is None:
        center = float(below.pretrained.mean())
        found = fit_logistic(
            np.column_stack([ones, below.pretrained]),
            labels,
            mean=(0.0, 1.0),
            precision=gaussian_precision(np.array([[1.0, center], [0.0, 1.0]]), (SHIFT_DEVIATION, SLOPE_DEVIATION)),
            least=(None, 0.0),
        )
        return Start(float(found[0]), float(found[1]), 0.0)
    centers = [float(below.pretrained.mean()), float(below.effects.mean())]
    directions = np.array([[1.0, *centers], [0.0, 1.0, 1.0], [0.0, 1 - share, -share]])
    found = fit_logistic(
        np.column_stack([ones, below.pretrained, below.effects]),
        labels,
        mean=(0.0, share, 1 - share),
        precision=gaussian_precision(directions, (SHIFT_DEVIATION, SLOPE_DEVIATION, SHARE_DEVIATION)),
        least=(None, 0.0, 0.0),
    )
    return Start(*(float(value) for value in found))
