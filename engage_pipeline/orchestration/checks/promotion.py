"""Check of trained_model: warns if the candidate was turned down."""

from engage_pipeline.model.promotion.facts import DecisionFacts
from engage_pipeline.orchestration.checks.finding import Finding, check, problem
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
    return Finding(problem("" if facts.promoted else facts.decision), facts.decision, figures)


CHECKS = [new_model_is_not_worse]
