"""Deviations are learned from rows that the effects were not fitted to."""

from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.model.effects.priors import learn_deviations
from engage_pipeline_tests.model.effects.designs import Made, Planted, made, planted

TRUE = (1.0, 0.6, 0.05)
FIELDS = ("viewer", "author", "tweet")


@pytest.fixture(scope="module")
def world() -> Planted:
    return planted(11, 40_000, (2000, 3000, 4000), TRUE)


@pytest.fixture
def own(world: Planted, tmp_path: Path) -> Made:
    return made(tmp_path, world.codes, FIELDS)


def learn(
    own: Made, labels: np.ndarray, guess: np.ndarray, new: np.ndarray, seen: np.ndarray, rounds: int
) -> np.ndarray:
    """Of the rows that are `seen`, bool [n], those that are `new` teach the deviations."""
    sample = own.design.take(lambda facts: seen[facts["position"]], own.folder / "seen")
    return learn_deviations(
        own.target(labels),
        sample,
        guess,
        lambda facts: new[facts["position"]],
        own.folder / "priors",
        sweeps=8,
        rounds=rounds,
    )


def loss_of_new_rows(own: Made, labels: np.ndarray, deviations: np.ndarray, new: np.ndarray) -> float:
    odds = own.log_odds(own.fit(labels, deviations, sweeps=8, weights=(~new).astype(float)))[new, 0]
    return float(np.logaddexp(0, np.where(labels[new], -odds, odds)).mean())


@pytest.mark.parametrize("guess", [(0.3, 0.3, 0.3), (3.0, 2.0, 0.5)])
def test_wrong_guesses_move_towards_the_truth_and_help_rows_that_taught_nothing(
    world: Planted, own: Made, guess: tuple[float, ...]
) -> None:
    kind = np.random.default_rng(12).integers(0, 3, 40_000)
    before = np.array(guess)[:, np.newaxis]
    learned = learn(own, world.labels, before, kind == 1, kind < 2, 3)
    assert np.abs(np.log(learned[:2, 0]) - np.log(TRUE[:2])).max() < 0.35
    assert learned[2, 0] < guess[2] / 2
    after = loss_of_new_rows(own, world.labels, learned, kind == 2)
    assert after < loss_of_new_rows(own, world.labels, before, kind == 2)


def test_too_few_new_rows_of_a_kind_teach_nothing_about_that_outcome(world: Planted, own: Made) -> None:
    """And what the other outcomes learn is what they learn alone."""
    new = np.zeros(40_000, bool)
    new[np.flatnonzero(world.labels)[:500]] = True
    other = np.random.default_rng(13).random(40_000) < 0.5
    every = np.ones(40_000, bool)
    guess = np.column_stack([TRUE, TRUE])
    learned = learn(own, np.column_stack([world.labels, other]), guess, new, every, 2)
    assert learned[:, 0].tolist() == list(TRUE)
    alone = learn(own, other, guess[:, 1:], new, every, 2)
    assert (learned[:, 1] != TRUE).all()
    np.testing.assert_allclose(learned[:, 1], alone[:, 0], rtol=1e-6)
    assert learn(own, world.labels, guess[:, :1], new, every, 2)[:, 0].tolist() == list(TRUE)


def test_no_rounds_leave_the_guess(world: Planted, own: Made) -> None:
    new, every = np.arange(40_000) % 3 == 0, np.ones(40_000, bool)
    assert learn(own, world.labels, np.array(TRUE)[:, np.newaxis], new, every, 0)[:, 0].tolist() == list(TRUE)
