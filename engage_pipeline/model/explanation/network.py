"""Attribution of a network's logits for one row: integrated gradients, from a row without history to this one.

    contribution of input j = (x_j - b_j) * mean of the derivatives of the logit by x_j on the line from b to x

They sum to logit(x) - logit(b) (M. Sundararajan, A. Taly, Q. Yan, Axiomatic Attribution for Deep Networks, arXiv
1703.01365). The line is in the space of the network's input tensor, not of the numbers behind it: between the counters
0 and 300 the Fourier features oscillate, and between two hours there are no others.
"""

import copy
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch  # noqa: TID253 - nothing light imports this module

from engage_pipeline import schema
from engage_pipeline.model.explanation.families import FEATURE_NAMES
from engage_pipeline.model.network.fourier import FEATURES_PER_NUMBER, N_SCALES
from engage_pipeline.model.network.inputs import profile_logarithms
from engage_pipeline.model.network.network import EngagementNetwork
from engage_pipeline.model.network.network_config import NetworkConfig
from engage_pipeline.model.network.rows import CATEGORIES, OTHERS
from engage_pipeline.model.network.scoring import NetworkScorer

LEAST_STEPS, MOST_STEPS = 64, 4096
TOLERANCE = 5e-4
"""Largest residual in logits: the steps are doubled until it is reached."""
_BATCH = 256
_BASELINE_FLAG = "is_top_level"
_COUNTED_FROM_ZERO = (*schema.INTERACTION_FEATURES, "n_hashtags")


@dataclass(frozen=True)
class NetworkAttribution:
    """The attribution of one row: float64 `baseline` [4], `contributions` [4, features] as FEATURE_NAMES, `logits` [4].

    `logits` are computed in float32, whatever precision the network predicts in; `steps` is the number of steps.
    """

    baseline: np.ndarray
    contributions: np.ndarray
    logits: np.ndarray
    steps: int

    @property
    def residual(self) -> np.ndarray:
        """The logits minus baseline and contributions, float64 [4]."""
        return self.logits - self.baseline - self.contributions.sum(axis=1)


def attribute_network(scorer: NetworkScorer, table: pa.Table) -> NetworkAttribution:
    """Attributes the four logits of the one row of `table`, in the order of TARGETS, to the features."""
    network = copy.deepcopy(scorer.network).float().requires_grad_(False)
    known, categories, people, words, first_words = scorer.inputs.build(scorer.rows(table))
    row = torch.cat([known, network.embed(categories)], dim=1)  # [1, inputs]
    nothing = torch.cat([baseline_known(network.config), network.mean_embeddings()], dim=1)
    weights = torch.cat([network.first_known.weight, network.first_embedded.weight], dim=1)  # [first_size, inputs]
    none = torch.zeros_like(people), words[:0], torch.zeros_like(first_words)
    start = network.identified(nothing @ weights.T + network.first_known.bias, *none)
    end = network.identified(row @ weights.T + network.first_known.bias, people, words, first_words)
    baseline, logits = (network.above_first(first)[0].double().numpy() for first in (start, end))
    steps = LEAST_STEPS
    while True:
        gradients = _mean_gradients(network, start, end - start, steps)
        linear, beside = gradients[:, : len(weights)], gradients[:, len(weights) :]  # [4, first_size], [4, identified]
        inputs = torch.cat([linear @ weights * (row - nothing), beside * (end - start)[:, len(weights) :]], dim=1)
        found = NetworkAttribution(baseline, _by_feature(inputs.double().numpy(), network), logits, steps)
        if np.abs(found.residual).max() <= TOLERANCE or steps >= MOST_STEPS:
            return found
        steps *= 2


def baseline_known(config: NetworkConfig) -> torch.Tensor:
    """Returns the known input of an unknown row, float32 [1, known_size].

    It has no engagements and no exposures; its tweet is top-level, without words, hashtags, media or links; no account
    is verified. Sizes and ages are unknown: their sines and cosines are 0, the mean over a wide range of values.
    """
    known = torch.zeros(1, config.known_size)
    numbers_start = config.sketch_depth * config.sketch_width
    flags_start = config.known_size - config.history_size - len(schema.BINARY_FEATURES)
    numbers = known[0, numbers_start:flags_start]
    if config.vocabulary:
        numbers[:] = profile_logarithms(torch.zeros(1, len(OTHERS)))[0]
    else:
        fourier = numbers.view(len(schema.NUMBERS), FEATURES_PER_NUMBER)
        fourier[[schema.NUMBERS.index(name) for name in _COUNTED_FROM_ZERO], N_SCALES:] = 1  # the cosines of 0
    known[0, flags_start + schema.BINARY_FEATURES.index(_BASELINE_FLAG)] = 1
    return known


def input_features(config: NetworkConfig) -> list[str]:
    """Returns the feature behind each column of the network's input: the known ones, then the embeddings."""
    names = [schema.TEXT_TOKENS] * (config.sketch_depth * config.sketch_width)
    if config.vocabulary:
        names += schema.PROFILE_NUMBERS
    else:
        names += [name for name in schema.NUMBERS for _ in range(FEATURES_PER_NUMBER)]
    names += schema.BINARY_FEATURES
    if config.base_rates:
        keys = [name.removesuffix("_exposures") for name in schema.EXPOSURE_FEATURES] + [*config.further_counters]
        names += [f"{key}_{target}_rate" for key in keys for target in schema.TARGETS]
        names += [f"{key}_exposures" for key in keys]
    return names + [name for name in CATEGORIES for _ in range(config.embedding_size)]


def _mean_gradients(network: EngagementNetwork, start: torch.Tensor, move: torch.Tensor, steps: int) -> torch.Tensor:
    """Returns the mean derivative of the logits by what `above_first` reads, at middles of steps: [4, its columns]."""
    total = torch.zeros(len(schema.TARGETS), start.shape[1])
    places = (torch.arange(steps) + 0.5) / steps
    for batch in places.split(_BATCH):
        points = (start + batch.unsqueeze(1) * move).requires_grad_()
        logits = network.above_first(points).sum(dim=0)
        for target, logit in enumerate(logits):
            total[target] += torch.autograd.grad(logit, points, retain_graph=True)[0].sum(dim=0)
    return total / steps


def _by_feature(inputs: np.ndarray, network: EngagementNetwork) -> np.ndarray:
    """Sums the columns of `inputs` [4, inputs] that belong to one feature: [4, features]."""
    names = input_features(network.config) + network.identified_features
    places = np.array([FEATURE_NAMES.index(name) for name in names])
    sums = np.zeros((len(inputs), len(FEATURE_NAMES)))
    np.add.at(sums.T, places, inputs.T)
    return sums
