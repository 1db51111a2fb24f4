"""The fits of outcomes with the same rows: their deviations, and the fits without each fold.

What does not belong here: fitting (fitting), and what a fit is used for (training).
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engage_pipeline import schema
from engage_pipeline.model.effects.design import Design
from engage_pipeline.model.effects.fitting import Target, first_fit, fit_effects
from engage_pipeline.model.effects.outcomes import ANY
from engage_pipeline.model.effects.priors import learn_deviations
from engage_pipeline.model.effects.rows import DRAW_BITS
from engage_pipeline.model.effects.values import Fit
from engage_pipeline.model.validation_roles import HOLDOUT_ROW, TRAINING_ROW
from engage_pipeline.settings.settings import EffectSettings


@dataclass(frozen=True)
class _Problem:
    """The fit of an outcome without the rows of `fold` and without holdout rows; if it is None, to training rows."""

    outcome: str
    fold: int | None

    def labels(self, facts: np.ndarray) -> np.ndarray:
        """Returns which rows with rows.FACTS [n] have the outcome, bool [n]."""
        bits = facts["labels"]
        return np.asarray((bits if self.outcome == ANY else bits >> schema.TARGETS.index(self.outcome) & 1) != 0)

    def weights(self, facts: np.ndarray) -> np.ndarray:
        """Returns the weights of rows with rows.FACTS [n], float64 [n]."""
        folds = facts["fold"]
        kept = folds == TRAINING_ROW if self.fold is None else (folds != self.fold) & (folds != HOLDOUT_ROW)
        return np.asarray(facts["weight"] * kept)


@dataclass(frozen=True)
class OutcomeFits:
    """The fits of `outcomes` to the rows of `design`, with files in `folder`."""

    design: Design
    outcomes: Sequence[str]
    folder: Path
    settings: EffectSettings

    def learn_deviations(self, deviations: Sequence[float]) -> np.ndarray:
        """Learns the deviations, float64 [effects, outcomes], from all rows of a sample of viewers.

        Every other fold is new to the effects' fit.
        """
        folder, problems = self.folder / "priors", [_Problem(outcome, None) for outcome in self.outcomes]
        drawn = min(1.0, self.settings.prior_rows / max(len(self.design), 1)) * (1 << DRAW_BITS)
        sample = self.design.take(
            lambda facts: (facts["draw"] < drawn) & (facts["fold"] != HOLDOUT_ROW), folder / "sample"
        )
        learned = learn_deviations(
            lambda facts: (_labels(problems, facts), np.ones((len(facts), 1))),
            sample,
            np.repeat(np.array(deviations)[:, np.newaxis], len(self.outcomes), axis=1),
            lambda facts: (facts["fold"] >= 0) & (facts["fold"] % 2 == 1),
            folder,
            sweeps=self.settings.sweeps,
            rounds=self.settings.prior_rounds,
        )
        shutil.rmtree(folder)
        return learned

    def fit(self, deviations: np.ndarray, folds: Sequence[int]) -> Iterator[tuple[int, Mapping[int, str], Fit]]:
        """Yields for each of `folds` the fits without it and the holdout rows; for HOLDOUT_ROW, last, the fits without
        the holdout rows only. With each comes the outcome of those problems of the fit that belong to the fold.

        `deviations` float64 [effects, outcomes]. All start from the fit of the training rows, which has seen no
        validation row. The files of a fit are there until the next one is asked for.
        """
        sweeps = self.settings.sweeps
        few = (sweeps + 1) // 2  # the scores of a fold's rows don't need the last digit
        every = [*folds, HOLDOUT_ROW]
        training = [_Problem(outcome, None) for outcome in self.outcomes]
        first = first_fit(_target(training), self.design, self.folder / "training", len(training))
        self._move(first, training, deviations, sweeps)
        for group in [every] if len(self.outcomes) == 1 else [[fold] for fold in every]:
            problems = [_Problem(outcome, fold) for fold in group for outcome in self.outcomes]
            outcomes = [self.outcomes.index(problem.outcome) for problem in problems]
            fit = first.take(outcomes, self.folder / "folds")
            self._move(fit, problems, deviations[:, outcomes], few)
            for fold in group:
                own = {place: one.outcome for place, one in enumerate(problems) if one.fold == fold}
                if fold == HOLDOUT_ROW:
                    fit = fit.take(list(own), self.folder / "published")
                    own = dict(enumerate(self.outcomes))
                    self._move(fit, [_Problem(outcome, fold) for outcome in self.outcomes], deviations, sweeps - few)
                yield fold, own, fit

    def _move(self, fit: Fit, problems: Sequence[_Problem], deviations: np.ndarray, sweeps: int) -> None:
        fit_effects(_target(problems), self.design, deviations, fit, self.folder / "state", sweeps=sweeps)


def _labels(problems: Sequence[_Problem], facts: np.ndarray) -> np.ndarray:
    return np.column_stack([problem.labels(facts) for problem in problems])


def _target(problems: Sequence[_Problem]) -> Target:
    """Returns the target of problems of one outcome, or of one fold."""
    folds = {problem.fold: problem for problem in problems}.values()

    def target(facts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _labels(problems, facts), np.column_stack([problem.weights(facts) for problem in folds])

    return target
