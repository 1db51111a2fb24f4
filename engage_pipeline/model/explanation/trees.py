"""Attribution of the trees' logits for one row: SHAP values of the trees, and the network and effects they read.

    logit = intercept + pretrained_slope * pretrained logit + effects_slope * logit of the effects
          + expected value + sum of the SHAP values of the columns

The SHAP values are LightGBM's, exact for its trees (S. Lundberg et al., From local explanations to global
understanding with explainable AI for trees, 2020). Some columns are logits of the pretrained network and of the
effects: their SHAP values are distributed over the features that contributed to those logits.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from engage_pipeline.model.explanation.effects import EffectsAttribution
from engage_pipeline.model.explanation.families import FEATURE_NAMES
from engage_pipeline.model.trees.inputs import LOGITS
from engage_pipeline.model.trees.scoring import TreeScorer


@dataclass(frozen=True)
class TreesAttribution:
    """The attribution of one row: float64 `baseline` [4] and `contributions` [4, features] as FEATURE_NAMES."""

    baseline: np.ndarray
    contributions: np.ndarray


@dataclass(frozen=True)
class BelowTree:
    """What the trees read beside the features of one row, with its attribution.

    `logits`, float64 [1, 4], are the pretrained network's, attributed by `baseline` [4] and `contributions` [4,
    features]; `effects`, float32 [1, 4], are EFFECT_COLUMNS, attributed by `attribution`.
    """

    logits: np.ndarray
    baseline: np.ndarray
    contributions: np.ndarray
    effects: np.ndarray
    attribution: EffectsAttribution


def attribute_trees(trees: TreeScorer, table: pa.Table, below: BelowTree) -> TreesAttribution:
    """Attributes the trees' logits of the one row of `table`, in the order of TARGETS, to the features."""
    found = _start(trees, below)
    matrix = trees.inputs.matrix(table, below.logits, below.effects)
    for target, booster in enumerate(trees.boosters):
        if booster is not None:
            values, expected = shap_values(booster, matrix, trees.threads)
            found.baseline[target] += expected
            found.contributions[target] += _by_feature(values, trees.inputs.columns, below)
    return found


def _start(trees: TreeScorer, below: BelowTree) -> TreesAttribution:
    names = ("intercept", "pretrained_slope", "effects_slope")
    intercepts, network, effects = (np.array([getattr(start, name) for start in trees.starts]) for name in names)
    return TreesAttribution(
        intercepts + network * below.baseline + effects * below.attribution.baseline,
        network[:, np.newaxis] * below.contributions + effects[:, np.newaxis] * below.attribution.contributions,
    )


def shap_values(booster: Any, matrix: np.ndarray, threads: int | None) -> tuple[np.ndarray, float]:
    """Returns the SHAP values of the columns for the one row of `matrix`, float64 [columns], and the expected value."""
    values = np.asarray(booster.predict(matrix, pred_contrib=True, num_threads=threads or 0), np.float64)[0]
    return values[:-1], float(values[-1])


def hand_on(amount: float, contributions: np.ndarray) -> np.ndarray:
    """Distributes `amount`, the SHAP value of a logit, over the features that made the logit by their `contributions`.

    Returns float64 [features], whose sum is `amount`; all 0 if all contributions are 0. The shares are in proportion to
    the contributions if these agree in sign. If they nearly cancel, such shares would be huge and opposed, so the sizes
    decide. With c = |sum| / (sum of sizes), the weights of the two rules are c² and 1 - c².
    """
    total, size = contributions.sum(), np.abs(contributions).sum()
    if not size:
        return np.zeros_like(contributions)
    agreement = total / size
    # c² x / total = agreement x / size: no division by a total near 0.
    return amount * (agreement * contributions + (1 - agreement**2) * np.abs(contributions)) / size


def _by_feature(values: np.ndarray, columns: tuple[str, ...], below: BelowTree) -> np.ndarray:
    by_feature = np.zeros(len(FEATURE_NAMES))
    for column, value in zip(columns, values.tolist(), strict=True):
        if column in LOGITS:
            by_feature += hand_on(value, below.contributions[LOGITS.index(column)])
        elif (moved := below.attribution.of_column(column)) is not None:
            by_feature += hand_on(value, moved)
        else:
            by_feature[FEATURE_NAMES.index(column)] += value
    return by_feature
