"""The blend weights against a grid search, hand arithmetic and what they are for."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple
from pathlib import Path

import numpy as np
import pytest

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.model.blend import (
    NETWORK_ONLY,
    WITH_EFFECTS,
    WITHOUT_EFFECTS,
    Weights,
    blend_logits,
    choose_weights,
    fit_weights,
    read_blend,
    write_blend,
)
from engage_pipeline.numerics.logistic import log_losses, sigmoid

NAMES = ("network", "trees", "effects")
Logits = dict[str, np.ndarray]


def models(rows: int, seed: int, *noise: float) -> tuple[Logits, np.ndarray, np.ndarray]:
    """Logits of models that err independently with standard deviations `noise`, labels, and the true logits."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(-1, 1.5, rows)
    labels = rng.random(rows) < sigmoid(truth)
    return {name: truth + rng.normal(0, one, rows) for name, one in zip(NAMES, noise, strict=False)}, labels, truth


def engagements(rows: int, seeds: Sequence[int], *noise: float) -> tuple[Logits, np.ndarray, np.ndarray]:
    """Those of several engagements, side by side."""
    found = [models(rows, seed, *noise) for seed in seeds]
    logits = {name: np.column_stack([one[0][name] for one in found]) for name in found[0][0]}
    return logits, np.column_stack([one[1] for one in found]), np.column_stack([one[2] for one in found])


def slow_objective(moved: np.ndarray, prior: Weights, logits: Logits, labels: np.ndarray, evidence: float) -> float:
    """Log losses in nats plus the prior, term by term.

    `moved` [1 + engagements, models]: weights ~ prior * exp(z + z of the engagement), of deviations 1/2 and 1/4.
    """
    total = 0.0
    for place in range(labels.shape[1]):
        raw = np.array([getattr(prior, name) for name in logits]) * np.exp(moved[0] + moved[1 + place])
        for row in range(len(labels)):
            logit = sum(weight * logits[name][row, place] for name, weight in zip(logits, raw / raw.sum(), strict=True))
            total += np.log1p(np.exp(-logit if labels[row, place] else logit))
    return float(evidence * total + (moved[0] ** 2).sum() / (2 * 0.5**2) + (moved[1:] ** 2).sum() / (2 * 0.25**2))


@pytest.mark.parametrize("evidence", [1.0, 0.2])
@pytest.mark.parametrize(("prior", "noise"), [(WITH_EFFECTS, (0.5, 1.5, 1.0)), (WITHOUT_EFFECTS, (0.5, 1.5))])
def test_the_posterior_is_highest_there(prior: Weights, noise: tuple[float, ...], evidence: float) -> None:
    """Against a search that knows no gradient, from several starts."""
    from scipy.optimize import minimize

    logits, labels, _ = engagements(60, (0, 1), *noise)
    found = fit_weights(logits, labels, prior, evidence)
    rng, shape = np.random.default_rng(0), (3, len(noise))

    def cost(flat: np.ndarray) -> float:
        return slow_objective(flat.reshape(shape), prior, logits, labels, evidence)

    best = min(
        (minimize(cost, rng.normal(0, 0.3, shape).ravel(), method="Powell", tol=1e-8) for _ in range(2)),
        key=lambda one: float(one.fun),
    )
    moved = best.x.reshape(shape)
    raw = np.array([getattr(prior, name) for name in logits]) * np.exp(moved[0] + moved[1:])
    expected = raw / raw.sum(axis=1, keepdims=True)
    own = [[getattr(one, name) for name in logits] for one in found]
    np.testing.assert_allclose(own, expected, atol=2e-3)
    assert np.sum(own, axis=1) == pytest.approx(1)


def test_a_rare_engagement_follows_the_others() -> None:
    """Ten labels say nothing of the weights; those of the other engagements do."""
    logits, labels, _ = engagements(4000, (0, 1, 2), 0.2, 1.5, 1.5)
    labels[10:, 2], logits["effects"][:, 2] = False, -8.0
    for name in ("network", "trees"):
        logits[name][:, 2] = -8.0
    found = fit_weights(logits, labels, WITH_EFFECTS)
    assert found[0].network > 0.5
    assert found[2].network == pytest.approx(found[0].network, abs=0.2)


def test_few_rows_stay_near_the_prior() -> None:
    logits, labels, _ = engagements(20, (1,), 0.1, 3.0, 1.0)
    found = fit_weights(logits, labels, WITH_EFFECTS)
    assert np.abs(np.subtract(astuple(found[0]), astuple(WITH_EFFECTS))).max() < 0.3
    nothing = {name: values[:0] for name, values in logits.items()}
    assert fit_weights(nothing, labels[:0], WITH_EFFECTS) == [WITH_EFFECTS]
    assert choose_weights(nothing, labels[:0], np.zeros(0, int), WITH_EFFECTS)[0].weights == WITH_EFFECTS


def test_many_rows_find_better_weights() -> None:
    """Of independent errors, the best weights are as the inverse variances; sigmoids bend that a little."""
    logits, labels, truth = engagements(200_000, (2,), 0.5, 1.0, 1.0)
    [found] = fit_weights(logits, labels, WITH_EFFECTS)
    assert astuple(found) == pytest.approx((2 / 3, 1 / 6, 1 / 6), abs=0.05)
    others = [WITH_EFFECTS, *(Weights(*row) for row in np.eye(3).tolist())]
    assert all(expected_loss(found, logits, truth) < expected_loss(other, logits, truth) for other in others)


def expected_loss(weights: Weights, logits: Mapping[str, np.ndarray], truth: np.ndarray) -> float:
    """The mean log loss over the labels that the true logits give: free of the labels' noise."""
    blended, chance = weights.apply(logits), sigmoid(truth)
    return float(np.mean(chance * np.logaddexp(0, -blended) + (1 - chance) * np.logaddexp(0, blended)))


def test_a_model_that_is_always_wrong_does_not_hurt() -> None:
    logits, labels, truth = engagements(5000, (3,), 0.2, 0.2)
    logits["effects"] = -logits["network"]
    [chosen] = choose_weights(logits, labels, np.arange(5000), WITH_EFFECTS)
    assert chosen.weights.effects < 0.05
    alone = min(expected_loss(Weights(*row), logits, truth) for row in np.eye(3).tolist())
    assert expected_loss(chosen.weights, logits, truth) < alone + 0.002


@pytest.mark.parametrize("rows", [400, 4000, 20_000])
def test_a_blend_that_helps_nothing_is_never_worse_than_the_best_model_beyond_noise(rows: int) -> None:
    """The other two are the effects' logit with noise: in truth nothing is gained by them."""
    lost = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        truth = rng.normal(-2, 1, rows + 20_000)
        labels = rng.random(len(truth)) < sigmoid(truth)
        effects = truth + rng.normal(0, 0.4, len(truth))
        logits = {"effects": effects, **{name: effects + rng.normal(0, 0.8, len(truth)) for name in NAMES[:2]}}
        few, new = (
            {name: values[part, np.newaxis] for name, values in logits.items()}
            for part in (slice(rows), slice(rows, None))
        )
        labels, truth = labels[:, np.newaxis], truth[:, np.newaxis]
        [chosen] = choose_weights(few, labels[:rows], np.arange(rows), WITH_EFFECTS)
        alone = expected_loss(Weights(0, 0, 1), new, truth[rows:])
        noise = np.std(log_losses(few["effects"], labels[:rows]) - log_losses(few["trees"], labels[:rows]))
        lost.append((expected_loss(chosen.weights, new, truth[rows:]) - alone) / (noise / np.sqrt(rows)))
    assert max(lost) < 2


def test_a_blend_that_helps_is_kept() -> None:
    logits, labels, _ = engagements(20_000, (6,), 1.0, 1.0, 0.8)
    [chosen] = choose_weights(logits, labels, np.arange(20_000) // 4, WITH_EFFECTS)
    assert chosen.alone == "effects"
    assert chosen.gain > 4 * chosen.error > 0
    assert [chosen.weights] == fit_weights(logits, labels, WITH_EFFECTS, 0.25)


def test_gain_and_error_by_hand() -> None:
    several, labels_of_all, _ = engagements(2000, (7, 9), 0.8, 0.8, 0.7)
    viewers = np.random.default_rng(0).permutation(np.arange(2000) % 500)
    chosen = choose_weights(several, labels_of_all, viewers, WITH_EFFECTS)[1]
    labels, logits = labels_of_all[:, 1], {name: values[:, 1] for name, values in several.items()}
    losses = {name: log_losses(values, labels) for name, values in logits.items()}
    assert chosen.alone == min(losses, key=lambda name: losses[name].mean())
    blended = sum(weight * logits[name] for name, weight in asdict(chosen.weights).items())
    saved = losses[chosen.alone] - log_losses(blended, labels)
    sums = [(saved[viewers == viewer] - saved.mean()).sum() for viewer in range(500)]
    assert (chosen.gain, chosen.error) == pytest.approx((saved.mean(), np.sqrt(sum(one**2 for one in sums)) / 2000))


def test_chance_among_few_positives_gives_no_model_all_the_weight() -> None:
    """A model that is ahead by two standard errors in forty rows of three thousand was so by chance."""
    logits, labels, _ = engagements(3600, (0, 1, 2, 3), 0.6, 0.4, 1.2)
    labels[:, 3] = False
    labels[::90, 3] = True
    for name, of_positives in zip(NAMES, (-4.6, -4.4, -2.6), strict=True):
        logits[name][:, 3] = np.where(labels[:, 3], of_positives, -4.8)
    [*_, chosen] = choose_weights(logits, labels, np.arange(3600), WITH_EFFECTS)
    assert (chosen.alone, chosen.gain < -2 * chosen.error) == ("effects", True)
    assert max(astuple(chosen.weights)) < 0.8


def test_logits_by_hand(tmp_path: Path) -> None:
    blend = {target: Weights(0.5 - 0.1 * i, 0.25, 0.25 + 0.1 * i) for i, target in enumerate(schema.TARGETS)}
    network = np.array([[4.0, 8.0, 12.0, 16.0]], np.float32)
    trees, effects = np.array([[1.0, 2.0, 4.0, 8.0]]), np.array([[10.0, 20.0, 30.0, 40.0]])
    logits = {"network": network, "trees": trees, "effects": effects, "pretrained": network * np.nan}
    assert np.allclose(blend_logits(blend, logits), [[4.75, 10.7, 18.1, 27.2]])
    assert blend_logits(dict.fromkeys(schema.TARGETS, NETWORK_ONLY), {"network": network}).tolist() == network.tolist()
    write_blend(blend, tmp_path / "blend.json")
    assert read_blend(tmp_path / "blend.json") == blend
    (tmp_path / "blend.json").write_text("{}")
    with pytest.raises(UserError, match=r"blend\.json: not a blend"):
        read_blend(tmp_path / "blend.json")


def test_log_losses_by_hand_and_without_overflow() -> None:
    losses = log_losses(np.array([0.0, 1000.0, -1000.0]), np.array([True, True, True]))
    assert losses.tolist() == pytest.approx([np.log(2), 0, 1000])
    assert sigmoid(np.array([0.0, 1000.0, -1000.0, np.log(3)])).tolist() == pytest.approx([0.5, 1, 0, 0.75])


def test_the_rows_of_a_viewer_count_as_one() -> None:
    logits, labels, _ = engagements(400, (0, 1), 0.5, 1.5, 1.0)
    chosen = choose_weights(logits, labels, np.arange(400) // 4, WITH_EFFECTS)
    assert [one.weights for one in chosen] == fit_weights(logits, labels, WITH_EFFECTS, 0.25)
    assert [one.weights for one in chosen] != fit_weights(logits, labels, WITH_EFFECTS)
