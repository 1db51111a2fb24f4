"""Promotion: trained_model is the candidate or the model that already predicts, as the rule decides.

The published version holds the files of a bundle (see bundle), so its hash is that of the bundle it copies. If the
first candidate is turned down, it holds no model (predicting). Its facts give the decision and the reason, both scores
and the counters behind them; they keep since when the model predicts, and its score at that time. What does not belong
here: the rule (decision), and a person's decision (rollback).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from engage_pipeline.model.effects.tables import copy_file
from engage_pipeline.model.promotion.decision import (
    MEAN,
    Decision,
    HoldoutScore,
    compare,
    difference,
    judge_first,
    score_version,
)
from engage_pipeline.model.promotion.facts import CANDIDATE, CURRENT, DecisionFacts, ModelFacts, shown_time
from engage_pipeline.model.promotion.model_card import card_figures, write_model_card
from engage_pipeline.model.promotion.predicting import MODEL, current_model, require_known, write_no_model
from engage_pipeline.settings.operating import PromotionSettings
from engage_pipeline.store import promoted_counters
from engage_pipeline.store.deletion_ledger import predating, read_ledger
from engage_pipeline.store.file_names import DESCRIPTIONS, FEATURES
from engage_pipeline.store.store import ArtifactStore, Draft, Manifest, Version

CANDIDATE_MODEL = "candidate_model"
_OF_THE_MODEL = {"promoted_at", "rce_at_promotion", "split", "card"}
_OF_ROLLBACKS = {"rolled_back_at", "rolled_back_from", "held_back"}


def promote(store: ArtifactStore, draft: Draft) -> DecisionFacts:
    """Fills `draft`, of trained_model, with the files and facts of the candidate or of the model that predicts.

    If the first candidate is turned down, the draft holds no model. Returns the decision. Raises UserError if the
    candidate is missing or damaged, or if the manifest of the model that predicts is damaged.
    """
    require_known(store)
    candidate, current = store.open(CANDIDATE_MODEL), current_model(store)
    candidate.directory()
    features = store.open("validation_features").path(FEATURES)
    scores = {CANDIDATE: score_version(candidate, features, store.settings)}
    if current is not None:
        same = current.manifest.version == candidate.manifest.version
        scores[CURRENT] = scores[CANDIDATE] if same else score_version(current, features, store.settings)
    split = holdout_split(store)
    deleted = None if current is None or CANDIDATE_MODEL in predating(store) else deleted_since(store, current)
    decision = _decide(candidate, current, scores, split, deleted, store.settings.promotion)
    card = card_figures(candidate.manifest, scores[CANDIDATE], store.settings)
    found = difference(scores[CANDIDATE], scores[CURRENT]) if CURRENT in scores else None
    facts = DecisionFacts(
        promoted=decision.promoted,
        decision=decision.words,
        candidate=candidate.manifest.version,
        tolerance=store.settings.promotion.tolerance,
        rce={name: score.figures() for name, score in scores.items()},
        ap={name: score.ap for name, score in scores.items() if score.ap},
        share_of_positives=scores[CANDIDATE].shares,
        candidate_card=card,
        **promoted_counters.judged_on(store).model_dump(),
        **({} if found is None else {"rce_difference": found.figures()}),
    )
    draft.record(facts)
    _fill(draft, candidate, current, facts, split)
    return facts


def _fill(
    draft: Draft, candidate: Version, current: Version | None, facts: DecisionFacts, split: Mapping[str, Any]
) -> None:
    """Copies the model that predicts from now on into `draft`, and records facts and card of it."""
    same = current is not None and current.manifest.version == candidate.manifest.version
    if current is None and not facts.promoted:
        write_no_model(draft)
        return
    # If both have the same content, the candidate's files: this repairs a model with damaged files.
    chosen = candidate if current is None or facts.promoted or same else current
    copy_files(chosen, draft)
    if current is None or (facts.promoted and not same):
        mean = facts.rce[CANDIDATE][MEAN]
        draft.record(ModelFacts(promoted_at=now(), rce_at_promotion=mean, split=split))
    else:
        draft.record(held_model(current.manifest))
        draft.record(_facts(current.manifest, _OF_ROLLBACKS))
    if chosen is candidate:
        draft.record(ModelFacts(card=facts.candidate_card))
    write_model_card(draft, chosen.manifest.version)


def _decide(
    candidate: Version,
    current: Version | None,
    scores: Mapping[str, HoldoutScore],
    split: Mapping[str, Any],
    deleted: str | None,
    rule: PromotionSettings,
) -> Decision:
    if current is None:
        return judge_first(scores[CANDIDATE], rule.least_first_rce)
    if candidate.manifest.version == current.manifest.version:
        return Decision(True, "unchanged: the candidate is the model that predicts already")
    facts = ModelFacts.read(current.manifest)
    if candidate.manifest.version in facts.held_back:
        return Decision(False, f"held back: it was given up for another model on {shown_time(facts.rolled_back_at)}")
    if deleted is not None and scores[CANDIDATE].beats_the_constant():
        return Decision(
            True, f"promoted without comparison: {shown_time(deleted)} rows were deleted that the model before had seen"
        )
    redrawn = scores[CURRENT].mean is not None and _drawn_anew(facts.split, split)
    if redrawn and scores[CANDIDATE].beats_the_constant():
        return Decision(
            True,
            "promoted without comparison: the holdout rows were drawn anew from the same validation part, "
            "so that the model before was trained on some of them",
        )
    return compare(scores[CANDIDATE], scores[CURRENT], rule.tolerance)


def _drawn_anew(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> bool:
    return before is not None and before != now and before.get("part") == now.get("part")


def holdout_split(store: ArtifactStore) -> dict[str, Any]:
    """Returns what decides which rows are held out: the validation part's SHA-256, seed and share; {} if unknown."""
    manifest = store.manifest("validation_tweets")
    if manifest is None or not manifest.sources:
        return {}
    chosen = {name: manifest.settings[name] for name in ("seed", "validation_percentage")}
    return {"part": manifest.sources[0].sha256, **chosen}


def deleted_since(store: ArtifactStore, model: Version) -> str | None:
    """Returns when rows that a version of trained_model was trained on were deleted, ISO 8601; None if none were."""
    entry = read_ledger(store).get(MODEL, {}).get(model.manifest.version)
    return entry.date if entry else None


def held_model(manifest: Manifest) -> ModelFacts:
    """Returns the facts of the model in a version of trained_model, without those of the decision."""
    return ModelFacts(**{"promoted_at": manifest.created, **_facts(manifest, _OF_THE_MODEL).model_dump()})


def _facts(manifest: Manifest, names: set[str]) -> ModelFacts:
    """Returns the facts `names` that a version of trained_model has."""
    return ModelFacts(**ModelFacts.read(manifest).model_dump(include=names))


def copy_files(version: Version, draft: Draft) -> None:
    """Copies the content of `version` into `draft`, without a card. Raises UserError naming a damaged file."""
    for name in version.manifest.files.keys() - DESCRIPTIONS:
        copy_file(version.path(name), draft.path(name))


def now() -> str:
    """Returns the current time, UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
