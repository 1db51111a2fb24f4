"""Attribution of the effects' log-odds for one row: the part of each family.

Mean and variance of the log-odds of an engagement are sums over the families. The log-odds of its probability,
integrated over what is not known of the effects and summed over what else may happen in the row, are not a sum. A
family's part is its Shapley value (L. Shapley, A value for n-person games, 1953): what it moves when it joins other
families, averaged over all orders of joining.
"""

from dataclasses import dataclass
from math import factorial

import numpy as np

from engage_pipeline import schema
from engage_pipeline.model.effects.columns import EFFECT_LOGITS
from engage_pipeline.model.effects.marginals import marginal_logits
from engage_pipeline.model.effects.tables import Scores
from engage_pipeline.model.explanation.families import EFFECT_FEATURES, FEATURE_NAMES


@dataclass(frozen=True)
class EffectsAttribution:
    """The attribution of one row: for the engagements, `baseline` [4] and `contributions` [4, features] in the order of
    FEATURE_NAMES; `deviations` [4] are the standard deviations of the log-odds.
    """

    baseline: np.ndarray
    contributions: np.ndarray
    deviations: np.ndarray

    def of_column(self, column: str) -> np.ndarray | None:
        """Returns the contributions [features] to one of EFFECT_COLUMNS that a tree reads; None for other columns."""
        return self.contributions[EFFECT_LOGITS.index(column)] if column in EFFECT_LOGITS else None


def attribute_effects(intercepts: np.ndarray, coupling: np.ndarray, scores: Scores) -> EffectsAttribution:
    """Attributes one row, whose `scores` have families [1, 8, 4] that add to the `intercepts` [4].

    For `coupling` [4, 4] see marginal_logits.
    """
    families, unknown = scores.families[0], scores.variances[0]
    present = np.flatnonzero((families != 0).any(axis=1) | (unknown != 0).any(axis=1))
    sets = (np.arange(1 << len(present))[:, np.newaxis] >> np.arange(len(present)) & 1).astype(np.float64)
    logits = marginal_logits(intercepts + sets @ families[present], sets @ unknown[present], coupling)
    contributions = np.zeros((len(schema.TARGETS), len(FEATURE_NAMES)))
    places = [FEATURE_NAMES.index(EFFECT_FEATURES[family]) for family in present]
    contributions[:, places] = (_shapley_weights(sets) @ logits).T
    return EffectsAttribution(logits[0], contributions, np.sqrt(unknown.sum(axis=0)))


def _shapley_weights(sets: np.ndarray) -> np.ndarray:
    """Returns the weight of the value of each of `sets` [m, n], all sets of n members, for each member: [n, m]."""
    size = sets.shape[1]
    orders = [factorial(others) * factorial(size - 1 - others) / factorial(size) for others in range(size)]
    members = sets.sum(axis=1).astype(np.int64)
    joins, stays = (np.array([*orders, 0.0])[(members - with_it) % (size + 1)] for with_it in (1, 0))
    return np.asarray(np.where(sets == 1, joins[:, np.newaxis], -stays[:, np.newaxis]).T)


def no_attribution() -> EffectsAttribution:
    """Returns the attribution of a row if no effects are on: all contributions are 0."""
    size = len(schema.TARGETS)
    return EffectsAttribution(np.zeros(size), np.zeros((size, len(FEATURE_NAMES))), np.zeros(size))
