"""Attribution of the effects' log-odds for one row: the part of each family.

Mean and variance of the log-odds of an engagement are sums over the families. The log-odds L of its probability,
integrated over what is not known of the effects, are not a sum. On the way from L(intercept, 0) to L(mean, variance)
the mean can move first, or the variance: what each moves is the average of the two orders (the Shapley value). Of what
the mean moves, a family has its share of the mean, which is what integrated gradients on a straight line give (M.
Sundararajan, A. Taly, Q. Yan, arXiv 1703.01365); of what the variance moves, its share of the variance.
"""

from dataclasses import dataclass

import numpy as np

from engage_pipeline import schema
from engage_pipeline.model.effects.columns import EFFECT_LOGITS, integrated_logits
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


def attribute_effects(intercepts: np.ndarray, scores: Scores) -> EffectsAttribution:
    """Attributes one row, whose `scores` have families [1, 8, 4] that add to the `intercepts` [4]."""
    families, unknown = scores.families[0], scores.variances[0]
    way, variances = families.sum(axis=0), unknown.sum(axis=0)
    means = np.stack([intercepts, intercepts + way])
    certain, uncertain = (
        integrated_logits(means, np.tile(own, (2, 1))) for own in (np.zeros_like(variances), variances)
    )
    by_mean = (certain[1] - certain[0] + uncertain[1] - uncertain[0]) / 2
    by_variance = uncertain[1] - certain[0] - by_mean
    slopes = np.divide(by_mean, way, out=np.ones_like(way), where=np.abs(way) > 1e-9)
    shares = np.divide(unknown, variances, out=np.zeros_like(unknown), where=variances > 0)
    contributions = np.zeros((len(schema.TARGETS), len(FEATURE_NAMES)))
    places = [FEATURE_NAMES.index(name) for name in EFFECT_FEATURES]
    contributions[:, places] = (families * slopes + shares * by_variance).T
    return EffectsAttribution(certain[0], contributions, np.sqrt(variances))


def no_attribution() -> EffectsAttribution:
    """Returns the attribution of a row if no effects are on: all contributions are 0."""
    size = len(schema.TARGETS)
    return EffectsAttribution(np.zeros(size), np.zeros((size, len(FEATURE_NAMES))), np.zeros(size))
