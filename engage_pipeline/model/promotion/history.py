"""The models so far, as the report shows them: read from the facts of trained_model and of its kept versions."""

from engage_pipeline.metrics import Average
from engage_pipeline.model.evaluation.history_section import Difference, ModelHistory, PastModel
from engage_pipeline.model.promotion.decision import CANDIDATE, MEAN
from engage_pipeline.model.promotion.facts import CURRENT, CardFigures, ModelFacts, shown_time
from engage_pipeline.model.promotion.predicting import MODEL
from engage_pipeline.model.promotion.rollback import KeptModel, kept_models
from engage_pipeline.store.store import ArtifactStore


def model_history(store: ArtifactStore) -> ModelHistory:
    """Returns the last decision and the kept models. Raises UserError if trained_model is missing or can't be read."""
    facts = ModelFacts.read(store.open(MODEL).manifest)
    models = [_past(model) for model in kept_models(store)]
    scores = [_scores(card) for card in (facts.candidate_card, facts.card) if card and card.scores]
    return ModelHistory(facts.decision, facts.rce, _differences(facts), models, scores)


def _scores(card: CardFigures) -> dict[str, Average]:
    return {name: Average(one.ap, one.rce, one.ap_interval, one.rce_interval) for name, one in card.scores.items()}


def _past(model: KeptModel) -> PastModel:
    facts = ModelFacts.read(model.source.manifest)
    # A later decision on another candidate, or on the same model again, says nothing of the model before this one.
    own = facts.candidate == model.version and facts.rce.get(CANDIDATE) != facts.rce.get(CURRENT)
    difference = _differences(facts).get(MEAN) if own else None
    code = facts.card.provenance.code if facts.card and facts.card.provenance else ""
    return PastModel(model.version, shown_time(model.promoted_at), model.rce, model.predicts, difference, code)


def _differences(facts: ModelFacts) -> dict[str, Difference]:
    return {name: Difference(one.rce, one.interval) for name, one in facts.rce_difference.items()}
