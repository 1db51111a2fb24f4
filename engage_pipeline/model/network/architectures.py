"""The network architectures, by the value of `network.architecture` that chooses them."""

from collections.abc import Callable

import torch  # noqa: TID253 - nothing light imports this module

from engage_pipeline.model.network.deep_cross import DeepCrossNetwork
from engage_pipeline.model.network.network import EngagementNetwork, NetworkConfig
from engage_pipeline.model.network.residual import ResidualNetwork

ARCHITECTURES: dict[str, Callable[[NetworkConfig], EngagementNetwork]] = {
    "residual": ResidualNetwork,
    "deep_cross": DeepCrossNetwork,
}


def new_network(config: NetworkConfig) -> EngagementNetwork:
    """Returns a network with random weights from torch's generator. Raises ValueError for an unknown architecture."""
    if config.architecture not in ARCHITECTURES:
        raise ValueError(f"architecture {config.architecture!r} is not one of {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[config.architecture](config)


def network_of(config: NetworkConfig, weights: dict[str, torch.Tensor]) -> EngagementNetwork:
    """Returns the network with these weights, which are not copied. Raises RuntimeError if they don't fit its shape."""
    with torch.device("meta"):
        network = new_network(config)
    network.load_state_dict(weights, assign=True)
    return network
