"""Kept models, and a person's decision that another one predicts: an earlier one, or the candidate.

A decision is published like any version of trained_model. A rollback keeps the input versions of the last decision, so
that a candidate that was not judged yet will still be judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.metrics import format_value
from engage_pipeline.model.bundle import TrainedModel
from engage_pipeline.model.promotion.decision import MEAN
from engage_pipeline.model.promotion.facts import CANDIDATE, CardFigures, DecisionFacts, ModelFacts, shown_time
from engage_pipeline.model.promotion.model_card import provenance_figures, write_model_card
from engage_pipeline.model.promotion.predicting import MODEL, current_model, holds_model, last_model, short
from engage_pipeline.model.promotion.promotion import (
    CANDIDATE_MODEL,
    copy_files,
    deleted_since,
    held_model,
    holdout_split,
    now,
)
from engage_pipeline.store import promoted_counters
from engage_pipeline.store.promoted_counters import CountersRead
from engage_pipeline.store.store import ArtifactStore, Draft, Manifest, Version


@dataclass(frozen=True)
class KeptModel:
    """A model that predicts or has predicted: when it was promoted, and its mean RCE on the holdout then, if known."""

    source: Version
    predicts: bool

    @property
    def version(self) -> str:
        """The hash of its content."""
        return self.source.manifest.version

    @property
    def promoted_at(self) -> str:
        """The time of its promotion, ISO 8601."""
        return str(held_model(self.source.manifest).promoted_at)

    @property
    def rce(self) -> float | None:
        """Its mean RCE at its promotion, percent."""
        return held_model(self.source.manifest).rce_at_promotion


def kept_models(store: ArtifactStore) -> list[KeptModel]:
    """Returns the model that predicts and the kept ones, the latest promoted first."""
    current = current_model(store)
    models = [KeptModel(current, predicts=True)] if current else []
    models += [KeptModel(version, predicts=False) for version in store.kept(MODEL) if holds_model(version.manifest)]
    return sorted(models, key=lambda model: model.promoted_at, reverse=True)


def format_models(models: Sequence[KeptModel]) -> str:
    """Returns a table of the models, a line each."""
    rows = [("version", "promoted", "mean RCE then", "")]
    rows += [
        (m.version, shown_time(m.promoted_at), format_value(m.rce, "rce"), "predicts" if m.predicts else "")
        for m in models
    ]
    return "\n".join(f"{a:<16}  {b:<20}  {c:>13}  {d}".rstrip() for a, b, c, d in rows)


def roll_back(store: ArtifactStore, version: str | None = None) -> Manifest:
    """Publishes an earlier model, so that it predicts again, and returns the manifest.

    `version` is the beginning of its version; None = the one promoted before the model that predicts. The next
    candidate competes with it; the models that it replaces are held back. Raises UserError if there is no such model,
    if it is damaged, if its columns are not the current ones, or if rows that it was trained on have been deleted.
    """
    models = kept_models(store)
    chosen = _promoted_before(models, last_model(store)) if version is None else _beginning_with(version, models)
    if date := deleted_since(store, chosen.source):
        raise UserError(f"model {chosen.version} was trained on rows that were deleted {shown_time(date)}: train anew")
    _check_files(chosen)
    TrainedModel.load(chosen.source)
    with store.publish(MODEL) as draft:
        current = store.current(MODEL)
        before, judged = None, _published_candidate(store)
        if current is not None:
            before, draft.inputs = current.manifest.version, current.manifest.inputs
            facts = ModelFacts.read(current.manifest)
            judged = facts.candidate if "candidate" in facts.model_fields_set else before
        time = now()
        counters, aside = _counters_of(store, chosen.source.manifest, current)
        draft.record(held_model(chosen.source.manifest))
        draft.record(counters)
        draft.record(
            DecisionFacts(
                promoted=chosen.version == judged,
                decision=f"rolled back to {short(chosen.version)} on {shown_time(time)}{aside}",
                candidate=judged,
                rolled_back_at=time,
                rolled_back_from=before,
                held_back=sorted({one for one in (before, judged) if one} - {chosen.version}),
            )
        )
        if (figures := _candidate_figures(current, judged)) is not None:
            draft.record(ModelFacts(rce={CANDIDATE: figures}, candidate_card=_candidate_card(current, judged)))
        copy_files(chosen.source, draft)
        write_model_card(draft, chosen.version)
    return _published(draft)


def promote_by_hand(store: ArtifactStore) -> Manifest:
    """Publishes the candidate, whatever its scores, so that it predicts, and returns the manifest.

    Raises UserError if it already predicts, or is missing.
    """
    candidate = store.open(CANDIDATE_MODEL)
    with store.publish(MODEL) as draft:
        current = store.current(MODEL)
        if current is not None and current.manifest.version == candidate.manifest.version:
            raise UserError(f"the candidate {short(candidate.manifest.version)} predicts already")
        time = now()
        counters, aside = _counters_of(store, candidate.manifest, current)
        draft.record(
            DecisionFacts(
                promoted=True,
                decision=f"promoted by hand on {shown_time(time)}{aside}",
                candidate=candidate.manifest.version,
                promoted_at=time,
                rce_at_promotion=_recorded_score(store, current, candidate.manifest.version),
                split=holdout_split(store),
                card=_recorded_card(store, current, candidate.manifest),
            )
        )
        draft.record(counters)
        copy_files(candidate, draft)
        write_model_card(draft, candidate.manifest.version)
    return _published(draft)


def _candidate_figures(current: Version | None, candidate: str | None) -> Mapping[str, float | None] | None:
    """Returns the candidate's RCE by engagement, and mean, from the last decision; None if it recorded none."""
    facts = ModelFacts.read(current.manifest) if current else ModelFacts()
    return facts.rce.get(CANDIDATE) if facts.candidate == candidate else None


def _candidate_card(current: Version | None, candidate: str | None) -> CardFigures | None:
    """Returns what the last decision recorded for the candidate's card; None if it recorded nothing."""
    facts = ModelFacts.read(current.manifest) if current else ModelFacts()
    return facts.candidate_card if facts.candidate == candidate else None


def _recorded_card(store: ArtifactStore, current: Version | None, candidate: Manifest) -> CardFigures:
    """Returns what was recorded for the candidate's card when it was last judged or promoted, else its provenance."""
    if (card := _candidate_card(current, candidate.version)) is not None:
        return card
    kept = (
        held_model(model.source.manifest).card for model in kept_models(store) if model.version == candidate.version
    )
    return next((card for card in kept if card is not None), provenance_figures(candidate))


def _recorded_score(store: ArtifactStore, current: Version | None, candidate: str) -> float | None:
    """Returns the candidate's mean RCE when it was last judged or promoted; None if it was not recorded."""
    figures = _candidate_figures(current, candidate)
    if figures is not None:
        return figures[MEAN]
    return next((model.rce for model in kept_models(store) if model.version == candidate), None)


def _published(draft: Draft) -> Manifest:
    if draft.manifest is None:
        raise RuntimeError("the draft is not published")
    return draft.manifest


def _counters_of(store: ArtifactStore, chosen: Manifest, current: Version | None) -> tuple[CountersRead, str]:
    """Returns the counters that the model reads from now on, as a fact, and words for the decision.

    They are those it read at its last decision, or if these are gone, those of the model before it; the words say so.
    """
    try:
        found = promoted_counters.find_counters(store, chosen)
        return promoted_counters.as_fact({name: one.manifest.version for name, one in found.items()}), ""
    except UserError:
        others = promoted_counters.counters_of(store, current.manifest) if current else {}
        aside = ", with the counters of the model before it, as its own are gone" if others else ""
        return promoted_counters.as_fact(others), aside


def _published_candidate(store: ArtifactStore) -> str | None:
    candidate = store.current(CANDIDATE_MODEL)
    return candidate.manifest.version if candidate else None


def _promoted_before(models: Sequence[KeptModel], last: Manifest | None) -> KeptModel:
    """Returns the model after the one that predicts in `models`, which begin with the latest promoted; if none does,
    the one after the `last` that predicted."""
    predicts = any(model.predicts for model in models)
    places = [
        place
        for place, model in enumerate(models)
        if model.predicts or (not predicts and last is not None and model.version == last.version)
    ]
    earlier = models[places[0] + 1 :] if places else models
    if not earlier:
        raise UserError("no earlier model is kept: there is nothing to roll back to")
    return earlier[0]


def _beginning_with(version: str, models: Sequence[KeptModel]) -> KeptModel:
    found = [model for model in models if version and model.version.startswith(version)]
    if not found:
        there = ", ".join(model.version for model in models) or "none"
        raise UserError(f"no kept model has the version {version!r}; kept: {there}")
    if len(found) > 1:
        raise UserError(f"{version!r} is the beginning of {' and '.join(model.version for model in found)}: give more")
    if found[0].predicts:
        raise UserError(f"model {found[0].version} predicts already")
    return found[0]


def _check_files(model: KeptModel) -> None:
    for name, mark in model.source.manifest.files.items():
        path = model.source.folder / model.source.manifest.directory / name
        if model.source.mirror is not None:
            model.source.path(name)
        elif problem := atomic.damage(path, mark):
            raise UserError(f"{path}: {problem}; model {model.version} can't be rolled back to")
