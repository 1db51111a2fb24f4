"""Blends the logits of the network and of the trees: per engagement, a weighted mean with a slight recalibration.

    blended = intercept + network_weight * network + trees_weight * trees

The weights maximise the posterior of the blend rows (the last chunk, on which neither model was trained) under a prior
of fixed weights without recalibration, so that few rows change little and many rows decide. The prior weights are
equal, unless the trees read effects: then the trees know most of what the network knows, and more.

Then the weights are shrunk towards the better single model, the more, the closer the blend's gain over it is to noise;
the gain is measured on viewers to which the weights were not fitted. So a blend that helps only by chance is not used.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import numpy as np

from engage_pipeline import metrics, schema
from engage_pipeline.errors import UserError
from engage_pipeline.numerics.logistic import fit_logistic, gaussian_precision, log_losses

BLEND = "blend.json"
SHIFT_DEVIATION = 0.1
"""Prior standard deviation of the blend's shift of the mean logit."""
SLOPE_DEVIATION = 0.1
"""Prior standard deviation of network_weight + trees_weight around 1."""
SHARE_DEVIATION = 0.25
"""Prior standard deviation of the network's share of the weights, relative to the smaller of the two prior weights."""
FOLDS = 5
"""Folds of the viewers of the blend rows: the weights fitted to four are judged on the fifth."""


@dataclass(frozen=True)
class Weights:
    """The blend weights of one engagement."""

    intercept: float
    network: float
    trees: float

    def apply(self, network: np.ndarray, trees: np.ndarray) -> np.ndarray:
        """Returns the blended logits, float64, of `network` and `trees` of one shape."""
        return self.intercept + self.network * network.astype(np.float64) + self.trees * trees.astype(np.float64)

    def towards(self, other: "Weights", share: float) -> "Weights":
        """Returns these weights moved `share` of the way to `other`."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Weights(*((1 - share) * own + share * its for own, its in pairs))


NETWORK_ONLY = Weights(0.0, 1.0, 0.0)
TREES_ONLY = Weights(0.0, 0.0, 1.0)
EQUAL = Weights(0.0, 0.5, 0.5)
MOSTLY_TREES = Weights(0.0, 0.1, 0.9)
Blend = Mapping[str, Weights]
"""The weights by engagement."""


@dataclass(frozen=True)
class Chosen:
    """The weights of one engagement: `share` of the way from the better single model (`alone`) to the fitted weights.

    `gain`: the log loss (nats per row) that the fitted weights save on viewers to which they were not fitted. `error`:
    its standard error.
    """

    weights: Weights
    alone: str
    share: float
    gain: float
    error: float


def choose_weights(network: np.ndarray, trees: np.ndarray, labels: np.ndarray, prior: Weights = EQUAL) -> Weights:
    """Returns the weights of one engagement with the highest posterior; `prior` if there are no rows.

    `network` and `trees` are logits [n], `labels` bool [n]. The weights of the two models are never negative.
    """
    if not len(labels):
        return prior
    center = float(np.mean(network) + np.mean(trees)) / 2
    directions = np.array([[1.0, center, center], [0.0, 1.0, 1.0], [0.0, prior.trees, -prior.network]])
    share_deviation = 2 * SHARE_DEVIATION * min(prior.network, prior.trees)
    found = fit_logistic(
        np.column_stack([np.ones(len(labels)), network, trees]),
        labels,
        mean=(prior.intercept, prior.network, prior.trees),
        precision=gaussian_precision(directions, (SHIFT_DEVIATION, SLOPE_DEVIATION, share_deviation)),
        least=(None, 0.0, 0.0),
    )
    return Weights(*(float(value) for value in found))


def shrink_weights(
    network: np.ndarray, trees: np.ndarray, labels: np.ndarray, viewers: np.ndarray, prior: Weights = EQUAL
) -> Chosen:
    """Shrinks the weights of `choose_weights` towards the better single model; `viewers` int [n] are numbers from 0.

    The share of the way is 1 - (error / gain)², at least 0: 0 if the gain is within one standard error, three quarters
    at two. With too few viewers, the better single model is used.
    """
    if not len(labels):
        return Chosen(prior, "", 1.0, 0.0, 0.0)
    own = {"network": log_losses(network, labels), "trees": log_losses(trees, labels)}
    saved, error = _mean_and_error(own["trees"] - own["network"], viewers)
    alone = "network" if saved > (error if prior.trees > prior.network else 0.0) else "trees"
    start = NETWORK_ONLY if alone == "network" else TREES_ONLY
    if viewers.max() + 1 < 2 * FOLDS:
        return Chosen(start, alone, 0.0, 0.0, 0.0)
    losses = np.empty(len(labels))
    for fold in range(FOLDS):
        new = viewers % FOLDS == fold
        found = choose_weights(network[~new], trees[~new], labels[~new], prior)
        losses[new] = log_losses(found.apply(network[new], trees[new]), labels[new])
    gain, error = _mean_and_error(own[alone] - losses, viewers)
    share = max(0.0, 1 - (error / gain) ** 2) if gain > 0 else 0.0
    fitted = choose_weights(network, trees, labels, prior)
    return Chosen(start.towards(fitted, share), alone, share, gain, error)


def _mean_and_error(values: np.ndarray, viewers: np.ndarray) -> tuple[float, float]:
    """Returns the mean of `values` [n] and its standard error, clustered by viewer."""
    mean = float(values.mean())
    sums = metrics.sums_by_viewer((values - mean)[:, None], viewers)
    return mean, float(np.sqrt(np.square(sums).sum()) / len(values))


def blend_logits(blend: Blend, network: np.ndarray, trees: np.ndarray) -> np.ndarray:
    """Blends the logits `network` [n, 4] and `trees` [n, 4]: float64 [n, 4], all in the order of schema.TARGETS."""
    columns = [blend[target].apply(network[:, i], trees[:, i]) for i, target in enumerate(schema.TARGETS)]
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
