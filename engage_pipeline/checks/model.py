"""Checks of the model stage: how well the model predicts the holdout."""

import json

from engage_pipeline.artifacts import ArtifactStore
from engage_pipeline.checks.finding import Finding, check, problem


@check("evaluation", blocking=False)
def beats_the_constant_rate(store: ArtifactStore) -> Finding:
    """The model's relative cross entropy on the holdout is positive for every engagement that can be scored."""
    scores = json.loads(store.open("evaluation").path("scores.json").read_text(encoding="utf-8"))
    rce = {
        name: score["overall"]["rce"] for name, score in scores["models"][scores["main_model"]]["engagements"].items()
    }
    weak = [f"{name}: RCE {value:.2f}" for name, value in rce.items() if value is not None and value <= 0]
    figures = {name: value for name, value in rce.items() if value is not None}
    return Finding(problem("; ".join(weak)), "it does", figures)


@check("trained_model", blocking=False)
def new_model_is_not_worse(store: ArtifactStore) -> Finding:
    """The candidate predicts: on the holdout it is not worse than the model before by more than the tolerance."""
    facts = store.open("trained_model").manifest.facts
    figures = {
        f"{model}, {name}": value
        for model, scores in facts.get("rce", {}).items()
        for name, value in scores.items()
        if value is not None
    }
    return Finding(problem("" if facts["promoted"] else facts["decision"]), facts["decision"], figures)


CHECKS = [beats_the_constant_rate, new_model_is_not_worse]
