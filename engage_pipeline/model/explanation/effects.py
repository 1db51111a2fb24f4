"""Attribution of the effects' log-odds for one row: the part of each family.

The log-odds of an outcome are a sum over the families, so the parts are its terms. The log-odds of an engagement are
not; their parts are integrated gradients on the straight line from an unknown row to this one,

    part of a family = its sum for any * mean of d/d(any) + its sum given any * mean of d/d(given any)

and add up to the difference (M. Sundararajan, A. Taly, Q. Yan, arXiv 1703.01365).
"""

from dataclasses import dataclass

import numpy as np

from engage_pipeline.model.effects.columns import EFFECT_LOGITS, FAMILY_LOGITS, OUTCOME_LOGITS
from engage_pipeline.model.effects.outcomes import OUTCOMES, engagement_log_odds
from engage_pipeline.model.explanation.families import FEATURE_NAMES
from engage_pipeline.numerics.logistic import sigmoid
from engage_pipeline.settings.families import EFFECT_FAMILIES

_NODES = 32
"""Nodes of the Gauss-Legendre rule: the integrand is smooth, so the error of the parts is below 1e-6."""


@dataclass(frozen=True)
class EffectsAttribution:
    """The attribution of one row: for the engagements, `baseline` [4] and `contributions` [4, features] in the order of
    FEATURE_NAMES; `outcomes` [5, features] are the contributions to the log-odds of OUTCOMES."""

    baseline: np.ndarray
    contributions: np.ndarray
    outcomes: np.ndarray

    def of_column(self, column: str) -> np.ndarray | None:
        """Returns the contributions [features] to one of EFFECT_COLUMNS that a tree reads; None for other columns."""
        if column in EFFECT_LOGITS:
            return self.contributions[EFFECT_LOGITS.index(column)]
        return self.outcomes[OUTCOME_LOGITS.index(column)] if column in OUTCOME_LOGITS else None


def attribute_effects(intercepts: np.ndarray, families: np.ndarray) -> EffectsAttribution:
    """Attributes one row, whose `families` [8, 5] add to the `intercepts` [5] (tables.EffectTables)."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    along = intercepts + (nodes[:, np.newaxis] + 1) / 2 * families.sum(axis=0)  # [nodes, 5]
    slope_any, slope_given = _slopes(along)
    means = [weights @ slope / 2 for slope in (slope_any, slope_given)]  # [4] each
    parts = means[0][:, np.newaxis] * families[:, 0] + means[1][:, np.newaxis] * families[:, 1:].T  # [4, 8]
    return EffectsAttribution(
        engagement_log_odds(intercepts[np.newaxis])[0], _by_feature(parts), _by_feature(families.T)
    )


def no_attribution() -> EffectsAttribution:
    """Returns the attribution of a row if no effects are on: all contributions are 0."""
    return attribute_effects(np.zeros(len(OUTCOMES)), np.zeros((len(EFFECT_FAMILIES), len(OUTCOMES))))


def _slopes(log_odds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns derivatives of the engagements' log-odds by any and by given any, at `log_odds` [n, 5]: [n, 4] each."""
    some, given = sigmoid(log_odds[:, :1]), sigmoid(log_odds[:, 1:])
    none = np.maximum(1 - some * given, 1e-12)
    return (1 - some) / none, (1 - given) / none


def _by_feature(parts: np.ndarray) -> np.ndarray:
    """Puts parts [n, 8] of the families at the places of their features: [n, features]."""
    found = np.zeros((len(parts), len(FEATURE_NAMES)))
    found[:, [FEATURE_NAMES.index(name) for name in FAMILY_LOGITS]] = parts
    return found
