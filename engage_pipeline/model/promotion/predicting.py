"""Whether a model predicts: trained_model may hold none, where the first candidate was turned down.

Such a version holds NO_MODEL alone, and its facts say why. Nothing can be predicted until a candidate is promoted.
"""

from engage_pipeline.errors import UserError
from engage_pipeline.model.promotion.facts import DecisionFacts
from engage_pipeline.store.promoted_counters import short
from engage_pipeline.store.store import ArtifactStore, Draft, Manifest, Version

MODEL = "trained_model"
NO_MODEL = "no_model.json"


def holds_model(manifest: Manifest) -> bool:
    """Whether this version of trained_model holds a model."""
    return NO_MODEL not in manifest.files


def write_no_model(draft: Draft) -> None:
    """Makes `draft`, of trained_model, one that holds no model."""
    draft.path(NO_MODEL).write_text("{}\n", encoding="utf-8")


def predicting_model(store: ArtifactStore) -> Version:
    """The model that predicts. Raises UserError where there is none, or where it was made with other settings."""
    version = store.open(MODEL)
    if not holds_model(version.manifest):
        raise UserError(no_model_line(version.manifest))
    return version


def current_model(store: ArtifactStore) -> Version | None:
    """The model that predicts, whatever its settings; None where there is none that can be read."""
    version = store.current(MODEL)
    return version if version is not None and holds_model(version.manifest) else None


def lacks_model(store: ArtifactStore) -> str | None:
    """Why no model predicts although one was trained, in one line; None where one predicts, or none was trained."""
    version = store.current(MODEL)
    return None if version is None or holds_model(version.manifest) else no_model_line(version.manifest)


def no_model_line(manifest: Manifest) -> str:
    """Why a version of trained_model holds no model, and what to do."""
    facts = DecisionFacts.read(manifest)
    return (
        f"no model predicts yet: the candidate {short(facts.candidate)} was {facts.decision}; "
        "`engage promote` takes it nevertheless"
    )
