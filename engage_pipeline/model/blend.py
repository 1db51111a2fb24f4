"""Blends the logits of the network, the trees and the effects: per engagement, their weighted mean.

    blended = network_weight * network + trees_weight * trees + effects_weight * effects

The weights are at least 0 and add up to 1, so that nothing is recalibrated on few rows. They maximise the posterior of
the fine-tuning rows, each scored by models that did not learn from it, of all engagements together: with
weights proportional to prior weight times exp(z + z of the engagement), the priors of z and of its own are normal with
standard deviations COMMON_DEVIATION and OWN_DEVIATION. Which model is the better one depends on the data far more than
on the engagement, and the rare engagements alone tell nothing of it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from engage_pipeline import metrics, schema
from engage_pipeline.errors import UserError
from engage_pipeline.numerics.logistic import log_losses, sigmoid

BLEND = "blend.json"
COMMON_DEVIATION, OWN_DEVIATION = 0.5, 0.25
"""Prior standard deviations of the logarithm of each weight: of all engagements, and how one differs from them."""

Logits = Mapping[str, np.ndarray]
"""Logits by name of a model in Weights, float of one shape."""


@dataclass(frozen=True)
class Weights:
    """The blend weights of one engagement; their sum is 1."""

    network: float
    trees: float
    effects: float

    @cached_property
    def models(self) -> list[str]:
        """The names of the models that have a weight."""
        return [name for name, weight in asdict(self).items() if weight]

    def apply(self, logits: Logits) -> np.ndarray:
        """Returns the blended logits, float64; those of models without weight need not be given."""
        return np.asarray(sum(getattr(self, name) * logits[name].astype(np.float64) for name in self.models))


NETWORK_ONLY = Weights(1.0, 0.0, 0.0)
WITH_EFFECTS = Weights(0.4, 0.4, 0.2)
"""The prior: on three worlds about the best of those that need no fit (ADR 36)."""
WITHOUT_EFFECTS = Weights(0.5, 0.5, 0.0)
Blend = Mapping[str, Weights]
"""The weights by engagement."""


@dataclass(frozen=True)
class Chosen:
    """The weights of one engagement, and the best single model (`alone`).

    `gain`: the log loss (nats per row) that the blend saves beside that model; `error`: its standard error.
    """

    weights: Weights
    alone: str
    gain: float
    error: float


def fit_weights(logits: Logits, labels: np.ndarray, prior: Weights, evidence: float = 1.0) -> list[Weights]:
    """Returns the weights of each engagement with the highest posterior; `prior` if there are no rows.

    `logits` [n, engagements] are of the models with a weight in `prior`, `labels` bool [n, engagements]; each row
    counts as much as `evidence` independent ones.
    """
    from scipy.optimize import minimize

    names = prior.models
    if not len(labels) or len(names) == 1:
        return [prior] * labels.shape[1]
    inputs = np.stack([logits[name].astype(np.float64) for name in names], axis=2)  # [n, engagements, models]
    start = np.log([getattr(prior, name) for name in names])
    shape = 1 + labels.shape[1], len(names)  # of z: common to all, then each engagement's own
    deviations = np.array([[COMMON_DEVIATION]] + [[OWN_DEVIATION]] * labels.shape[1])

    def weights_at(moved: np.ndarray) -> np.ndarray:
        raw = np.exp((found := start + moved[0] + moved[1:]) - found.max(axis=1, keepdims=True))
        return np.asarray(raw / raw.sum(axis=1, keepdims=True))

    def cost(flat: np.ndarray) -> tuple[float, np.ndarray]:
        moved = flat.reshape(shape)
        weights = weights_at(moved)
        blended = np.einsum("nem,em->ne", inputs, weights)
        slopes = evidence * np.einsum("nem,ne->em", inputs, sigmoid(blended) - labels)
        own = weights * (slopes - (weights * slopes).sum(axis=1, keepdims=True))
        gradient = moved / deviations**2 + np.vstack([own.sum(axis=0), own])
        loss = evidence * log_losses(blended, labels).sum()
        return float(loss + ((moved / deviations) ** 2).sum() / 2), gradient.ravel()

    found = weights_at(minimize(cost, np.zeros(shape).ravel(), jac=True, method="BFGS").x.reshape(shape))
    unused = dict.fromkeys(asdict(prior), 0.0)
    return [Weights(**{**unused, **dict(zip(names, own, strict=True))}) for own in found.tolist()]


def choose_weights(logits: Logits, labels: np.ndarray, viewers: np.ndarray, prior: Weights) -> list[Chosen]:
    """Fits the weights, and compares the blend of each engagement with its best single model.

    The rows of a viewer depend on each other: together they count as one in the fit. `logits` and `labels` as in
    fit_weights; `viewers` int [n] are numbers from 0.
    """
    evidence = len(np.unique(viewers)) / max(1, len(labels))
    return [
        _chosen(weights, {name: logits[name][:, place] for name in prior.models}, labels[:, place], viewers)
        for place, weights in enumerate(fit_weights(logits, labels, prior, evidence))
    ]


def _chosen(weights: Weights, logits: Logits, labels: np.ndarray, viewers: np.ndarray) -> Chosen:
    if not len(labels):
        return Chosen(weights, "", 0.0, 0.0)
    losses = {name: log_losses(own.astype(np.float64), labels) for name, own in logits.items()}
    alone = min(losses, key=lambda name: float(losses[name].mean()))
    gain, error = _mean_and_error(losses[alone] - log_losses(weights.apply(logits), labels), viewers)
    return Chosen(weights, alone, gain, error)


def _mean_and_error(values: np.ndarray, viewers: np.ndarray) -> tuple[float, float]:
    """Returns the mean of `values` [n] and its standard error, clustered by viewer."""
    mean = float(values.mean())
    sums = metrics.sums_by_viewer((values - mean)[:, None], viewers)
    return mean, float(np.sqrt(np.square(sums).sum()) / len(values))


def blend_logits(blend: Blend, logits: Logits) -> np.ndarray:
    """Blends logits [n, 4] of the models in the order of schema.TARGETS: float64 [n, 4]."""
    columns = [
        blend[target].apply({name: found[:, place] for name, found in logits.items()})
        for place, target in enumerate(schema.TARGETS)
    ]
    return np.column_stack(columns)


def write_blend(blend: Blend, path: Path) -> None:
    """Writes the weights as JSON."""
    values = {target: asdict(blend[target]) for target in schema.TARGETS}
    path.write_text(json.dumps(values, indent=1), encoding="utf-8")


def read_blend(path: Path) -> dict[str, Weights]:
    """Reads the weights that `write_blend` wrote. Raises UserError naming the file if it is not a blend."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return {target: Weights(**values[target]) for target in schema.TARGETS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not a blend") from error
