"""How the logits of the network and of the trees become one: per engagement, a mean with a slight recalibration.

    blended = intercept + network_weight * network + trees_weight * trees

The weights maximise the posterior of the blend rows (the last chunk, which neither model was trained on) under a
prior of fixed weights without recalibration, so that a few rows change little and many rows decide. The prior weights
are equal, unless the trees read effects: they then know most of what the network knows, and more.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.model.logistic import fit_logistic, gaussian_precision

BLEND = "blend.json"
SHIFT_DEVIATION = 0.1
"""Prior standard deviation of what blending adds to the mean logit."""
SLOPE_DEVIATION = 0.1
"""Prior standard deviation of network_weight + trees_weight around 1."""
SHARE_DEVIATION = 0.25
"""Prior standard deviation of the network's share of the weights, relative to the smaller of the two prior weights."""


@dataclass(frozen=True)
class Weights:
    """The blend of one engagement."""

    intercept: float
    network: float
    trees: float

    def apply(self, network: np.ndarray, trees: np.ndarray) -> np.ndarray:
        """The blended logits, float64, of logits of one shape."""
        return self.intercept + self.network * network.astype(np.float64) + self.trees * trees.astype(np.float64)


NETWORK_ONLY = Weights(0.0, 1.0, 0.0)
EQUAL = Weights(0.0, 0.5, 0.5)
MOSTLY_TREES = Weights(0.0, 0.1, 0.9)
Blend = Mapping[str, Weights]
"""The weights by engagement."""


def choose_weights(network: np.ndarray, trees: np.ndarray, labels: np.ndarray, prior: Weights = EQUAL) -> Weights:
    """The weights of one engagement with the highest posterior; those of the `prior` where there are no rows.

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


def blend_logits(blend: Blend, network: np.ndarray, trees: np.ndarray) -> np.ndarray:
    """The blended logits float64 [n, 4] of `network` [n, 4] and `trees` [n, 4], in the order of schema.TARGETS."""
    columns = [blend[target].apply(network[:, i], trees[:, i]) for i, target in enumerate(schema.TARGETS)]
    return np.column_stack(columns)


def write_blend(blend: Blend, path: Path) -> None:
    """Writes the weights as JSON."""
    values = {target: asdict(blend[target]) for target in schema.TARGETS}
    path.write_text(json.dumps(values, indent=1), encoding="utf-8")


def read_blend(path: Path) -> dict[str, Weights]:
    """The weights that `write_blend` wrote. Raises UserError naming the file where it holds no blend."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return {target: Weights(**values[target]) for target in schema.TARGETS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not a blend") from error
