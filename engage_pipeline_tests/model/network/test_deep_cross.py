"""The deep and cross network against the formulas of the paper, written out with numpy row by row."""

import numpy as np
import pytest
import torch  # noqa: TID253 - it is what is tested
from numpy.typing import NDArray

from engage_pipeline.model.network.deep_cross import N_CROSS_LAYERS
from engage_pipeline.model.network.network import EngagementNetwork
from engage_pipeline_tests.model.network.network_samples import make_network

Vector = NDArray[np.float64]


@pytest.fixture
def network() -> EngagementNetwork:
    """With weights of every size, and norms that have seen rows."""
    made = make_network("deep_cross", hidden_size=12)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    made.train()
    for _ in range(20):
        made.above_first(torch.randn(50, 24, generator=generator) * 2 + 1)
    return made.eval()


def plain_logits(weights: dict[str, Vector], first: Vector) -> Vector:
    """The logits [4] of one row, from what the first stage gives, [24]."""

    def norm(place: int, values: Vector) -> Vector:
        mean, variance, weight, bias = (
            weights[f"norm{place}.{name}"] for name in ("running_mean", "running_var", "weight", "bias")
        )
        return (values - mean) / np.sqrt(variance + 1e-5) * weight + bias

    def rectified(values: Vector) -> Vector:
        return np.where(values > 0, values, 0.01 * values)

    start = crossed = norm(0, first[:12])
    for layer in range(N_CROSS_LAYERS):
        names = ("down.weight", "up.weight", "up.bias")
        down, up, bias = (weights[f"crosses.{layer}.{name}"] for name in names)
        assert down.shape == (3, 12)
        crossed = start * (up @ (down @ crossed) + bias) + crossed
    deep = norm(1, rectified(first[12:]))
    deep = norm(2, rectified(weights["second.weight"] @ deep + weights["second.bias"]))
    logits: Vector = weights["output.weight"] @ np.concatenate([norm(3, crossed), deep]) + weights["output.bias"]
    return logits


def test_logits_equal_the_formulas(network: EngagementNetwork) -> None:
    weights = {name: tensor.double().numpy() for name, tensor in network.state_dict().items()}
    first = torch.randn(30, 24, generator=torch.Generator().manual_seed(2)) * 2
    expected = np.stack([plain_logits(weights, row) for row in first.double().numpy()])
    with torch.no_grad():
        found = network.above_first(first)
    assert expected.std(axis=0).min() > 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
