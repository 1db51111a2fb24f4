"""The blend weights against a grid search, hand arithmetic and what they are for."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.model.blend import (
    EQUAL,
    Weights,
    blend_logits,
    choose_weights,
    read_blend,
    write_blend,
)
from engage_pipeline.model.logistic import log_losses, sigmoid


def slow_objective(intercept: float, network_weight: float, trees_weight: float, rows: list) -> float:
    """Log losses in nats plus the prior, term by term."""
    total = 0.0
    for network, trees, label in rows:
        logit = intercept + network_weight * network + trees_weight * trees
        probability = 1 / (1 + np.exp(-logit))
        total -= np.log(probability if label else 1 - probability)
    mean = sum(network + trees for network, trees, _ in rows) / (2 * len(rows))
    shift = intercept + network_weight * mean + trees_weight * mean - mean
    total += (shift / 0.1) ** 2 / 2
    total += ((network_weight + trees_weight - 1) / 0.1) ** 2 / 2
    total += ((network_weight - trees_weight) / 2 / 0.25) ** 2 / 2
    return total


def two_models(rows: int, seed: int, noise: tuple[float, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.normal(-1, 1.5, rows)
    labels = rng.random(rows) < 1 / (1 + np.exp(-truth))
    return truth + rng.normal(0, noise[0], rows), truth + rng.normal(0, noise[1], rows), labels


def test_no_point_of_a_grid_is_better() -> None:
    network, trees, labels = two_models(60, 0, (0.5, 1.5))
    rows = list(zip(network.tolist(), trees.tolist(), labels.tolist(), strict=True))
    found = choose_weights(network, trees, labels)
    best = slow_objective(found.intercept, found.network, found.trees, rows)
    grid = product(np.linspace(-0.2, 0.2, 9), np.linspace(0, 1.2, 13), np.linspace(0, 1.2, 13))
    assert all(slow_objective(*point, rows) >= best - 1e-6 for point in grid)
    for step in product((-0.01, 0, 0.01), repeat=3):
        moved = np.array([found.intercept, found.network, found.trees]) + step
        assert slow_objective(*moved, rows) >= best - 1e-9


def test_few_rows_stay_near_equal_weights() -> None:
    network, trees, labels = two_models(5, 1, (0.1, 3.0))
    found = choose_weights(network, trees, labels)
    assert abs(found.network - 0.5) < 0.2
    assert abs(found.apply(network, trees).mean() - (network + trees).mean() / 2) < 0.2
    assert choose_weights(network[:0], trees[:0], labels[:0]) == EQUAL


def test_many_rows_find_the_better_model() -> None:
    network, trees, labels = two_models(20_000, 2, (0.05, 3.0))
    found = choose_weights(network, trees, labels)
    assert found.network > 0.9
    assert found.trees < 0.1
    blended = log_losses(found.apply(network, trees), labels).mean()
    assert blended <= log_losses(network, labels).mean() + 1e-4
    mirrored = choose_weights(trees, network, labels)
    assert (mirrored.trees, mirrored.network) == pytest.approx((found.network, found.trees), abs=1e-4)


def test_a_model_that_is_always_wrong_gets_no_weight() -> None:
    network, _, labels = two_models(5000, 3, (0.0, 0.0))
    found = choose_weights(network, -network, labels)
    assert found.trees == 0.0


def test_overconfidence_is_mended_by_many_rows() -> None:
    network, trees, labels = two_models(50_000, 4, (0.0, 0.0))
    found = choose_weights(2 * network, 2 * trees, labels)
    assert found.network + found.trees == pytest.approx(0.5, abs=0.03)


def test_logits_by_hand(tmp_path: Path) -> None:
    blend = {target: Weights(0.1 * i, 0.25, 0.5) for i, target in enumerate(schema.TARGETS)}
    network = np.array([[4.0, 8.0, 12.0, 16.0]], np.float32)
    trees = np.array([[1.0, 2.0, 3.0, 4.0]])
    expected = [[1.5, 3.1, 4.7, 6.3]]
    assert np.allclose(blend_logits(blend, network, trees), expected)
    write_blend(blend, tmp_path / "blend.json")
    assert read_blend(tmp_path / "blend.json") == blend
    (tmp_path / "blend.json").write_text("{}")
    with pytest.raises(UserError, match=r"blend\.json: not a blend"):
        read_blend(tmp_path / "blend.json")


def test_log_losses_by_hand_and_without_overflow() -> None:
    losses = log_losses(np.array([0.0, 1000.0, -1000.0]), np.array([True, True, True]))
    assert losses.tolist() == pytest.approx([np.log(2), 0, 1000])
    assert sigmoid(np.array([0.0, 1000.0, -1000.0, np.log(3)])).tolist() == pytest.approx([0.5, 1, 0, 0.75])
