"""The model that predicts: trained_model holds it, or none if the first candidate was turned down.

A version without a model holds NO_MODEL only, and its facts say why. There are no predictions until a candidate is
promoted.
"""

from engage_pipeline.errors import UserError
from engage_pipeline.model.promotion.facts import DecisionFacts
from engage_pipeline.store import kept_versions
from engage_pipeline.store.promoted_counters import short
from engage_pipeline.store.publishing import MANIFEST
from engage_pipeline.store.store import ArtifactStore, Draft, Manifest, Version

MODEL = "trained_model"
NO_MODEL = "no_model.json"


def holds_model(manifest: Manifest) -> bool:
    """Returns whether this version of trained_model holds a model."""
    return NO_MODEL not in manifest.files


def write_no_model(draft: Draft) -> None:
    """Fills `draft`, of trained_model, as a version without a model."""
    draft.path(NO_MODEL).write_text("{}\n", encoding="utf-8")


def predicting_model(store: ArtifactStore) -> Version:
    """Returns the model that predicts. Raises UserError if there is none, or if it was made with other settings."""
    version = store.open(MODEL)
    if not holds_model(version.manifest):
        raise UserError(no_model_line(version.manifest))
    return version


def current_model(store: ArtifactStore) -> Version | None:
    """Returns the model that predicts, whatever its settings; None if there is none that can be read."""
    version = store.current(MODEL)
    return version if version is not None and holds_model(version.manifest) else None


def require_known(store: ArtifactStore) -> None:
    """Raises UserError, with what to do, if the manifest of trained_model is damaged: a candidate must not take the
    place of a model that nobody has compared it with."""
    try:
        store.manifest(MODEL)
    except UserError as error:
        raise UserError(
            f"{store.folder(MODEL) / MANIFEST}: damaged, so the model that predicted until now is unknown, and no "
            f"other one takes its place: {_ways_back(store)}`engage run` decides anew once that file is removed"
        ) from error


def _ways_back(store: ArtifactStore) -> str:
    last, kept = last_model(store), [one for one in store.kept(MODEL) if holds_model(one.manifest)]
    if last is not None:
        return f"`engage rollback --to {short(last.version)}` lets it predict again; "
    return "`engage rollback --to VERSION` lets a kept one predict (`engage rollback` lists them); " if kept else ""


def last_model(store: ArtifactStore) -> Manifest | None:
    """Returns the manifest of the last model that predicted, by the copy of a manifest that is damaged or gone; None if
    there is no copy, or if it holds no model."""
    last = kept_versions.last(store.folder(MODEL))
    return last if last is not None and holds_model(last) else None


def lacks_model(store: ArtifactStore) -> str | None:
    """Returns why no model predicts although one was trained; None if one predicts, or if none was trained."""
    version = store.current(MODEL)
    return None if version is None or holds_model(version.manifest) else no_model_line(version.manifest)


def no_model_line(manifest: Manifest) -> str:
    """Returns one line: why a version of trained_model holds no model, and what to do."""
    facts = DecisionFacts.read(manifest)
    return (
        f"no model predicts yet: the candidate {short(facts.candidate)} was {facts.decision}; "
        "`engage promote` takes it nevertheless"
    )
