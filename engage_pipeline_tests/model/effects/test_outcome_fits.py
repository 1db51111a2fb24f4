"""Who learns from whom: the fits without a fold, and the rows that teach the deviations."""

from pathlib import Path

import numpy as np
import pytest

from engage_pipeline import schema
from engage_pipeline.model.effects.outcome_fits import OutcomeFits
from engage_pipeline.model.effects.outcomes import ANY, OUTCOMES
from engage_pipeline.model.effects.priors import learn_deviations
from engage_pipeline.model.validation_roles import HOLDOUT_ROW, TRAINING_ROW
from engage_pipeline_tests.model.bundles import quiet_settings
from engage_pipeline_tests.model.effects.designs import Made, made, planted

DEVIATIONS = (0.8, 0.4, 1.5)
WORLD = planted(11, 3000, (60, 40, 8), DEVIATIONS)
FOLDS = np.random.default_rng(1).integers(-2, 4, 3000)  # two of them the training and the holdout rows
LABELS = np.random.default_rng(2).integers(0, 16, 3000) * WORLD.labels


def fits(
    folder: Path, outcomes: tuple[str, ...], labels: np.ndarray = LABELS, **effects: int
) -> tuple[Made, OutcomeFits]:
    folder.mkdir()
    own = made(folder, WORLD.codes, fold=FOLDS, labels=labels, weight=np.ones(3000), draw=np.zeros(3000))
    settings = quiet_settings(folder, effects={"sweeps": 3, **effects}).effects
    return own, OutcomeFits(own.design, outcomes, folder / "fits", settings)


def published(folder: Path, outcomes: tuple[str, ...], labels: np.ndarray = LABELS, sweeps: int = 3) -> dict:
    """Intercept and values of the fit of each fold and outcome."""
    own, one = fits(folder, outcomes, labels, sweeps=sweeps)
    deviations = np.repeat(np.array(DEVIATIONS)[:, np.newaxis], len(outcomes), axis=1)
    return {
        (fold, outcome): [fit.intercept[problem], *np.concatenate(own.values(fit, problem)).tolist()]
        for fold, problems, fit in one.fit(deviations, [0, 1, 2, 3])
        for problem, outcome in problems.items()
    }


@pytest.mark.parametrize("outcomes", [(ANY,), schema.TARGETS])
def test_the_fit_without_a_fold_has_not_seen_its_labels_not_even_at_its_start(
    outcomes: tuple[str, ...], tmp_path: Path
) -> None:
    before = published(tmp_path / "before", outcomes)
    assert list(before) == [(fold, outcome) for fold in (0, 1, 2, 3, HOLDOUT_ROW) for outcome in outcomes]
    for fold in (0, 2, HOLDOUT_ROW, TRAINING_ROW):
        turned = published(tmp_path / f"turned{fold}", outcomes, np.where(fold == FOLDS, 15 - LABELS, LABELS))
        for (own, outcome), values in before.items():
            assert (values == turned[own, outcome]) == (fold in {own, HOLDOUT_ROW}), (fold, own)


@pytest.mark.parametrize("outcomes", [(ANY,), schema.TARGETS])
def test_folds_and_outcomes_that_are_fitted_together_are_what_they_are_alone(
    outcomes: tuple[str, ...], tmp_path: Path
) -> None:
    """A fold's fit has half of the sweeps, the published one all of them, both from the fit of the training rows."""
    found = published(tmp_path / "together", outcomes, sweeps=5)
    for outcome in outcomes:
        own, _ = fits(tmp_path / f"alone-{outcome}", (outcome,))
        labels = LABELS > 0 if outcome == ANY else (LABELS >> schema.TARGETS.index(outcome)) & 1 > 0
        for fold, sweeps in ((1, 3), (HOLDOUT_ROW, 5)):
            first = own.fit(labels, DEVIATIONS, sweeps=5, weights=1.0 * (FOLDS == TRAINING_ROW))
            kept = 1.0 * ((fold != FOLDS) & (HOLDOUT_ROW != FOLDS))
            fit = own.fit(labels, DEVIATIONS, sweeps=sweeps, weights=kept, start=first)
            expected = [fit.intercept[0], *np.concatenate(own.values(fit)).tolist()]
            np.testing.assert_allclose(found[fold, outcome], expected, rtol=1e-8, atol=1e-10)


def test_one_sweep_is_enough_for_both(tmp_path: Path) -> None:
    found = published(tmp_path / "one", (ANY,), sweeps=1)
    assert len(found) == 5


def test_deviations_are_learned_on_every_other_fold_alone(tmp_path: Path) -> None:
    """Training rows are in no fold, so the effects are not new to them; nor is the holdout part of it."""
    own, one = fits(tmp_path / "fits", OUTCOMES[1:])
    found = one.learn_deviations(list(DEVIATIONS))
    chosen = one.settings
    labels = np.column_stack([(LABELS >> place) & 1 > 0 for place in range(4)])
    expected = learn_deviations(
        own.target(labels),
        own.design.take(lambda facts: FOLDS[facts["position"]] != HOLDOUT_ROW, tmp_path / "kept"),
        np.repeat(np.array(DEVIATIONS)[:, np.newaxis], 4, axis=1),
        lambda facts: np.isin(FOLDS[facts["position"]], (1, 3)),
        tmp_path / "priors",
        sweeps=chosen.sweeps,
        rounds=chosen.prior_rounds,
    )
    assert found.tolist() == expected.tolist()
    assert (found != np.array(DEVIATIONS)[:, np.newaxis]).all()


def test_a_sample_of_viewers_teaches_the_deviations(tmp_path: Path) -> None:
    """With as many prior rows as a third of all, the viewers whose draw is in the lowest third."""
    own, one = fits(tmp_path / "fits", (ANY,), prior_rows=1000)
    draws = np.random.default_rng(3).integers(0, 1 << 20, 3000)
    facts = own.design.facts.read()
    facts["draw"] = draws[facts["position"]]
    own.design.facts.write(0, facts)
    found = one.learn_deviations(list(DEVIATIONS))
    expected = learn_deviations(
        own.target(LABELS > 0),
        own.design.take(lambda facts: (facts["draw"] < (1 << 20) / 3) & (facts["fold"] != -2), tmp_path / "k"),
        np.array(DEVIATIONS)[:, np.newaxis],
        lambda facts: np.isin(FOLDS[facts["position"]], (1, 3)),
        tmp_path / "priors",
        sweeps=one.settings.sweeps,
        rounds=one.settings.prior_rounds,
    )
    assert found.tolist() == expected.tolist()
