"""The model that predicts: trained_model holds it, or none if the first candidate was turned down.

A version without a model holds NO_MODEL only, and its facts say why. There are no predictions until a candidate is
promoted.
"""

from engage_pipeline.errors import UserError
from engage_pipeline.model.promotion.facts import DecisionFacts
from engage_pipeline.store.promoted_counters import short
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
