"""The blend weights against a grid search, hand arithmetic and what they are for."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.model.blend import (
    EQUAL,
    MOSTLY_TREES,
    TREES_ONLY,
    Weights,
    blend_logits,
    choose_weights,
    read_blend,
    shrink_weights,
    write_blend,
)
from engage_pipeline.numerics.logistic import log_losses, sigmoid


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


def expected_loss(weights: Weights, network: np.ndarray, trees: np.ndarray, truth: np.ndarray) -> float:
    """The mean log loss over the labels that the true logits give: free of the labels' noise."""
    logits = weights.apply(network, trees)
    chance = sigmoid(truth)
    return float(np.mean(chance * np.logaddexp(0, -logits) + (1 - chance) * np.logaddexp(0, logits)))


@pytest.mark.parametrize("prior", [EQUAL, MOSTLY_TREES])
def test_a_blend_that_helps_by_chance_alone_is_shrunk_to_the_better_model(prior: Weights) -> None:
    """The network is the trees' logit with noise: in truth nothing is gained by it, whatever 400 rows seem to say."""
    before, after = [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        truth = rng.normal(-2, 1, 20_400)
        labels = rng.random(20_400) < sigmoid(truth)
        trees = truth + rng.normal(0, 0.4, 20_400)
        network = trees + rng.normal(0, 0.8, 20_400)
        few, new = slice(400), slice(400, None)
        fitted = choose_weights(network[few], trees[few], labels[few], prior)
        chosen = shrink_weights(network[few], trees[few], labels[few], np.arange(400), prior).weights
        best = expected_loss(TREES_ONLY, network[new], trees[new], truth[new])
        before.append(expected_loss(fitted, network[new], trees[new], truth[new]) - best)
        after.append(expected_loss(chosen, network[new], trees[new], truth[new]) - best)
    lost_before, lost_after = (np.maximum(one, 0) for one in (before, after))
    assert (lost_before > 1e-12).sum() >= 9
    assert (lost_after > 1e-12).sum() <= 1
    assert lost_after.sum() < 0.2 * lost_before.sum()


def test_a_blend_that_helps_is_kept() -> None:
    network, trees, labels = two_models(20_000, 6, (1.0, 1.0))
    viewers = np.arange(20_000) // 4
    chosen = shrink_weights(network, trees, labels, viewers)
    fitted = choose_weights(network, trees, labels)
    assert chosen.share > 0.95
    assert chosen.gain > 4 * chosen.error > 0
    assert chosen.weights.network == pytest.approx(fitted.network, abs=0.05)
    blended = log_losses(chosen.weights.apply(network, trees), labels).mean()
    assert blended < min(log_losses(one, labels).mean() for one in (network, trees)) - 3 * chosen.error


def test_the_share_by_hand() -> None:
    network, trees, labels = two_models(2000, 7, (0.8, 0.8))
    viewers = np.random.default_rng(0).permutation(np.arange(2000) % 500)
    chosen = shrink_weights(network, trees, labels, viewers)
    better = min(("network", network), ("trees", trees), key=lambda one: log_losses(one[1], labels).mean())
    assert chosen.alone == better[0]
    saved = np.zeros(2000)
    for fold in range(5):
        rest, new = viewers % 5 != fold, viewers % 5 == fold
        weights = choose_weights(network[rest], trees[rest], labels[rest])
        saved[new] = (log_losses(better[1], labels) - log_losses(weights.apply(network, trees), labels))[new]
    sums = [(saved[viewers == viewer] - saved.mean()).sum() for viewer in range(500)]
    error = np.sqrt(sum(one**2 for one in sums)) / 2000
    assert (chosen.gain, chosen.error) == pytest.approx((saved.mean(), error))
    assert chosen.share == pytest.approx(max(0.0, 1 - (error / saved.mean()) ** 2))
    fitted = choose_weights(network, trees, labels)
    alone = Weights(0.0, float(better[0] == "network"), float(better[0] == "trees"))
    for name in ("intercept", "network", "trees"):
        middle = (1 - chosen.share) * getattr(alone, name) + chosen.share * getattr(fitted, name)
        assert getattr(chosen.weights, name) == pytest.approx(middle)


def test_too_few_viewers_tell_nothing() -> None:
    network, trees, labels = two_models(9, 8, (0.5, 0.5))
    assert shrink_weights(network, trees, labels, np.arange(9), MOSTLY_TREES).weights in (TREES_ONLY, Weights(0, 1, 0))
    assert shrink_weights(network, trees, labels, np.zeros(9, int)).share == 0.0
    assert shrink_weights(network[:0], trees[:0], labels[:0], np.zeros(0, int), MOSTLY_TREES).weights == MOSTLY_TREES


@pytest.mark.parametrize(("viewers", "told"), [(9, False), (10, True)])
def test_two_viewers_a_fold_are_the_fewest_that_tell(viewers: int, told: bool) -> None:
    """The network is far off, so that the trees alone and every blend save far more than chance does."""
    truth = np.random.default_rng(9).normal(0, 2, 2000)
    labels = np.random.default_rng(10).random(2000) < sigmoid(truth)
    chosen = shrink_weights(truth + 2, truth - 2, labels, np.arange(2000) % viewers)
    assert (chosen.share > 0) == (chosen.gain > 0) == told


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
