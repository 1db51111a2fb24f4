"""Checks of the model stage: how well the model predicts the holdout."""

import json
import math
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engage_pipeline import schema
from engage_pipeline.model.evaluation.fairness import (
    STANDARD_ERRORS,
    AuthorGroup,
    Gap,
    calibration_gaps,
    group_gaps,
    rce_with_error,
)
from engage_pipeline.model.evaluation.holdout import FOLLOWERS, PREDICTIONS, SCORES
from engage_pipeline.orchestration.checks.finding import Finding, as_table, check, limits_in_words, problem
from engage_pipeline.store.store import ArtifactStore


@check("evaluation")
def beats_the_constant_rate(store: ArtifactStore) -> Finding:
    """The model's relative cross entropy on the holdout is positive for every engagement that can be scored."""
    scores = _scores(store)
    rce = {
        name: score["overall"]["rce"] for name, score in scores["models"][scores["main_model"]]["engagements"].items()
    }
    weak = [f"{name}: RCE {value:.2f}" for name, value in rce.items() if value is not None and value <= 0]
    figures = {name: value for name, value in rce.items() if value is not None}
    said = ", ".join(f"{name}: RCE {value:.2f}" for name, value in figures.items())
    return Finding(problem("; ".join(weak)), f"{said}; each must be above 0", figures)


@check("evaluation")
def probabilities_are_calibrated(store: ArtifactStore) -> Finding:
    """In every tenth of the holdout rows, by probability, predicted and observed rate differ by no more than
    checks.calibration_error and three standard errors."""
    allowed = store.settings.checks.calibration_error
    predictions = _Predictions(store)
    worst = {
        target: max(calibration_gaps(*predictions.of(target)), key=lambda gap: gap.beyond_chance)
        for target in schema.TARGETS
    }
    wrong = [f"{target}: {_rates(gap)}" for target, gap in worst.items() if gap.beyond_chance > allowed]
    rows = [
        (
            target,
            gap.rows,
            f"{gap.predicted:.4f}",
            f"{gap.observed:.4f}",
            f"{gap.error:.4f}",
            f"{_allowed(gap, allowed):.4f}",
        )
        for target, gap in worst.items()
    ]
    table = as_table(("engagement", "rows", "predicted", "observed", "standard error", "gap allowed"), rows)
    figures = {target: abs(gap.predicted - gap.observed) for target, gap in worst.items()}
    target, gap = max(worst.items(), key=lambda one: one[1].beyond_chance)
    said = f"worst tenth: {target}, {_rates(gap)}, a gap of {figures[target]:.4f} where {_allowed(gap, allowed):.4f} "
    said += f"is allowed{limits_in_words(store.settings, 'checks.calibration_error')}"
    return Finding(problem("; ".join(wrong)), said, figures, {"the worst tenth of each engagement": table})


@check("evaluation")
def author_groups_are_served_alike(store: ArtifactStore) -> Finding:
    """No author group's RCE lies more than checks.fairness_rce points below that of all rows, and none's predicted and
    observed rate differ by a larger share than checks.group_calibration; each beyond three standard errors."""
    limits, edges = store.settings.checks, store.settings.evaluation.follower_edges
    predictions = _Predictions(store)
    wrong, rows = [], []
    points, nearest, said = 0.0, -math.inf, "0 groups can be scored"
    for target in schema.TARGETS:
        labels, probabilities = predictions.of(target)
        overall, _ = rce_with_error(labels, probabilities)
        for group in group_gaps(labels, probabilities, predictions.followers, edges):
            behind = 0.0 if overall is None or group.rce is None else overall - group.rce
            allowed = limits.fairness_rce + STANDARD_ERRORS * group.rce_error
            share = behind / max(allowed, sys.float_info.min)
            if group.rce is not None and share > nearest:
                points, nearest = behind, share
                side = "above" if behind < 0 else "below"
                said = f"{target}, {group.name} followers: RCE {abs(behind):.1f} points {side} all rows, "
                said += f"{allowed:.1f} below allowed"
            if behind > allowed:
                wrong.append(f"{target}, {group.name} followers: RCE {group.rce:.1f}, all rows {overall:.1f}")
            if group.rates.beyond_chance > limits.group_calibration * group.rates.observed:
                wrong.append(f"{target}, {group.name} followers: {_rates(group.rates)}")
            rows.append((target, *_cells(group)))
    heads = ("engagement", "followers", "rows", "predicted", "observed", "ratio", "RCE", "standard error of RCE")
    figures = {"points of RCE below all rows, group nearest to its limit": points}
    said += limits_in_words(store.settings, "checks.fairness_rce", "checks.group_calibration")
    return Finding(problem("; ".join(wrong)), said, figures, {"author groups": as_table(heads, rows)})


class _Predictions:
    """The holdout rows: labels, the main model's probabilities, and the authors' followers."""

    def __init__(self, store: ArtifactStore) -> None:
        self._model = _scores(store)["main_model"]
        columns = [FOLLOWERS, *schema.TARGETS, *(f"{self._model}_{target}" for target in schema.TARGETS)]
        self._table: pa.Table = pq.read_table(store.open("evaluation").path(PREDICTIONS), columns=columns)
        self.followers: NDArray[np.int64] = self._table[FOLLOWERS].to_numpy()

    def of(self, target: str) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Returns labels and probabilities of one engagement, [n] each."""
        return self._table[target].to_numpy(), self._table[f"{self._model}_{target}"].to_numpy()


def _scores(store: ArtifactStore) -> dict[str, Any]:
    scores: dict[str, Any] = json.loads(store.open("evaluation").path(SCORES).read_text(encoding="utf-8"))
    return scores


def _rates(gap: Gap) -> str:
    return f"predicted {gap.predicted:.2%}, observed {gap.observed:.2%} in {gap.rows:,} rows"


def _allowed(gap: Gap, limit: float) -> float:
    return limit + STANDARD_ERRORS * gap.error


def _cells(group: AuthorGroup) -> tuple[str, ...]:
    rates = group.rates
    ratio = "none observed" if rates.ratio is None else f"{rates.ratio:.2f}"
    rce = "one class only" if group.rce is None else f"{group.rce:.2f}"
    return (
        group.name,
        f"{rates.rows:,}",
        f"{rates.predicted:.4f}",
        f"{rates.observed:.4f}",
        ratio,
        rce,
        f"{group.rce_error:.2f}",
    )


CHECKS = [beats_the_constant_rate, probabilities_are_calibrated, author_groups_are_served_alike]
