"""The network architectures, by the value of `network.architecture` that chooses them."""

from collections.abc import Callable

import torch  # noqa: TID253 - nothing light imports this module

from engage_pipeline.model.network.deep_cross import DeepCrossNetwork
from engage_pipeline.model.network.deep_fm import DeepFMNetwork
from engage_pipeline.model.network.network import EngagementNetwork
from engage_pipeline.model.network.network_config import NetworkConfig
from engage_pipeline.model.network.residual import ResidualNetwork
from engage_pipeline.model.network.vocabulary import Vocabulary

ARCHITECTURES: dict[str, Callable[[NetworkConfig], EngagementNetwork]] = {
    "deep_fm": DeepFMNetwork,
    "residual": ResidualNetwork,
    "deep_cross": DeepCrossNetwork,
}


def reads_vocabulary(architecture: str) -> bool:
    """Returns whether networks of the architecture know people and tokens."""
    return architecture == "deep_fm"


def new_network(config: NetworkConfig, known: Vocabulary | None = None) -> EngagementNetwork:
    """Returns a network with random weights from torch's generator; `known` are the people and tokens that it knows.

    Raises ValueError for an unknown architecture.
    """
    if config.architecture not in ARCHITECTURES:
        raise ValueError(f"architecture {config.architecture!r} is not one of {', '.join(ARCHITECTURES)}")
    network = ARCHITECTURES[config.architecture](config)
    if known:
        network.know(known)
    return network


def network_of(config: NetworkConfig, weights: dict[str, torch.Tensor]) -> EngagementNetwork:
    """Returns the network with these weights, which are not copied. Raises RuntimeError if they don't fit its shape."""
    with torch.device("meta"):
        network = new_network(config)
    network.load_state_dict(weights, assign=True)
    return network
