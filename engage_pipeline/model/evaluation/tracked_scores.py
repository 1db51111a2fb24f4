"""Hands curves of trees and scores of an evaluation to the trackers, once they are known."""

from collections.abc import Mapping

from engage_pipeline.metrics import METRICS
from engage_pipeline.model.facts import EvaluationFacts, TreesFigures
from engage_pipeline.tracking.tracked import Track, log_curve


def track_rounds(track: Track, engagements: Mapping[str, TreesFigures]) -> None:
    """Hands over the out-of-fold loss after each round of boosting, by engagement; step 0 is the start alone."""
    with track(0) as tracked:
        for name, one in engagements.items():
            log_curve(tracked, f"loss/{name}", one.curve)


def track_scores(track: Track, facts: EvaluationFacts) -> None:
    """Hands over AP and RCE by engagement and their means: those of the candidate, and those of each other model below
    its name."""
    values: dict[str, float] = {}
    for model, scores in facts.scores.items():
        prefix = "" if model == facts.main_model else f"{model}/"
        for name, one in scores.items():
            known = {metric: one.get(metric) for metric in METRICS}
            values |= {f"{prefix}{metric}/{name}": value for metric, value in known.items() if value is not None}
    with track(0) as tracked:
        tracked.log(values, 0)
