"""Deviations are learned from rows that the effects were not fitted to."""

import numpy as np
import pytest

from engage_pipeline.model.effects.fitting import fit_effects
from engage_pipeline.model.effects.priors import learn_deviations
from engage_pipeline_tests.model.effects.designs import Planted, planted

TRUE = (1.0, 0.6, 0.05)


@pytest.fixture(scope="module")
def world() -> Planted:
    return planted(11, 40_000, (2000, 3000, 4000), TRUE)


def loss_of_new_rows(world: Planted, deviations: list[float], new: np.ndarray) -> float:
    fit = fit_effects(world.labels, world.design, deviations, sweeps=8, weights=(~new).astype(float))
    odds = fit.log_odds(world.design, np.flatnonzero(new))
    return float(np.logaddexp(0, np.where(world.labels[new], -odds, odds)).mean())


@pytest.mark.parametrize("guess", [(0.3, 0.3, 0.3), (3.0, 2.0, 0.5)])
def test_wrong_guesses_move_towards_the_truth_and_help_rows_that_taught_nothing(
    world: Planted, guess: tuple[float, ...]
) -> None:
    kind = np.random.default_rng(12).integers(0, 3, 40_000)
    learning = world.design.take(np.flatnonzero(kind < 2))
    labels, new = world.labels[kind < 2], kind[kind < 2] == 1
    learned = learn_deviations(labels, learning, guess, new, sweeps=8, rounds=3)
    assert np.abs(np.log(learned) - np.log(TRUE))[:2].max() < 0.35
    assert learned[2] < guess[2] / 2
    assert loss_of_new_rows(world, learned, kind == 2) < loss_of_new_rows(world, list(guess), kind == 2)


def test_too_few_new_rows_of_a_kind_teach_nothing(world: Planted) -> None:
    positives = np.flatnonzero(world.labels)
    new = np.zeros(40_000, bool)
    new[positives[:500]] = True
    assert learn_deviations(world.labels, world.design, TRUE, new, sweeps=2, rounds=2) == list(TRUE)


def test_no_rounds_leave_the_guess(world: Planted) -> None:
    new = np.arange(40_000) % 3 == 0
    assert learn_deviations(world.labels, world.design, TRUE, new, sweeps=2, rounds=0) == list(TRUE)
