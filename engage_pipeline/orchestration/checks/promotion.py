"""Check of trained_model: warns if the candidate was turned down."""

from collections.abc import Mapping

from engage_pipeline.model.promotion.decision import MEAN
from engage_pipeline.model.promotion.facts import DecisionFacts
from engage_pipeline.orchestration.checks.finding import Finding, check, limits_in_words, problem
from engage_pipeline.store.store import ArtifactStore


@check("trained_model")
def new_model_is_not_worse(store: ArtifactStore) -> Finding:
    """The candidate predicts: on the holdout it is not worse than the model before by more than the tolerance, beyond
    noise; a first one beats the constant rate."""
    facts = DecisionFacts.read(store.open("trained_model").manifest)
    figures = {
        f"{model}, {name}": value
        for model, scores in facts.rce.items()
        for name, value in scores.items()
        if value is not None
    }
    said = ", ".join(f"{model}: mean RCE {scores[MEAN]:.2f}" for model, scores in facts.rce.items() if _scored(scores))
    said += limits_in_words(store.settings, "promotion.tolerance", "promotion.least_first_rce")
    return Finding(problem("" if facts.promoted else facts.decision), f"{facts.decision}; {said}", figures)


def _scored(scores: Mapping[str, float | None]) -> bool:
    return scores.get(MEAN) is not None


CHECKS = [new_model_is_not_worse]
