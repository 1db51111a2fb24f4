"""The versions of the counters that a model reads: those of the last promotion decision.

A model is judged with features that were joined from certain versions of the counters. The facts of candidate_model and
trained_model name these versions, and the store keeps them as long as one of these models exists, kept ones included.
Counters published since then, by a run that has not reached its decision, are not read. What does not belong here: the
decision (model.promotion.promotion), and reading the counters (submission.published).
"""

from engage_pipeline.errors import UserError
from engage_pipeline.store.facts import Facts
from engage_pipeline.store.manifests import Manifest
from engage_pipeline.store.versions import Reader, Version

COUNTERS = ("interaction_counts", "author_similarity", "validation_counts")
MODEL, SUBMISSION = "trained_model", "submission"
MODELS = ("candidate_model", MODEL)
_JUDGED_BY = "validation_features"


class CountersRead(Facts):
    """The versions of COUNTERS that a model reads, by name; None if not all of them are known."""

    counters: dict[str, str] | None = None


class CountersGoneError(UserError):
    """The counters with which a model was judged are gone or unknown."""


def made_of(features: Manifest) -> dict[str, str]:
    """Returns the counters from which a version of validation_features or test_features was joined."""
    return {name: features.inputs[name] for name in COUNTERS if name in features.inputs}


def judged_on(store: Reader) -> CountersRead:
    """Returns the fact of a model that is judged with the published validation_features; no fact without them."""
    features = store.current(_JUDGED_BY)
    return as_fact(made_of(features.manifest)) if features else CountersRead()


def published_now(store: Reader) -> CountersRead:
    """Returns the fact of a model that reads the currently published counters."""
    return as_fact({name: manifest.version for name in COUNTERS if (manifest := store.manifest(name))})


def as_fact(counters: dict[str, str]) -> CountersRead:
    """Returns the fact of a model that reads these counters; no fact unless all of them are known."""
    return CountersRead(counters=counters) if counters.keys() == set(COUNTERS) else CountersRead()


def noted(manifest: Manifest) -> dict[str, str]:
    """Returns the counters in the facts of a model or of a submission; empty if there are none."""
    return CountersRead.read(manifest).counters or {}


def counters_of(store: Reader, model: Manifest) -> dict[str, str]:
    """Returns the counters that a model reads; empty if they are unknown.

    The facts of models of earlier versions of the program name none: such a model reads those of the features with
    which it was judged, if these are still published.
    """
    if known := noted(model):
        return known
    features = store.current(_JUDGED_BY)
    if features is None or model.inputs.get(_JUDGED_BY) != features.manifest.version:
        return {}
    return made_of(features.manifest)


def find_counters(store: Reader, model: Manifest) -> dict[str, Version]:
    """Finds the versions of COUNTERS that a model reads, by name.

    Raises CountersGoneError, whose line names the missing versions.
    """
    known = counters_of(store, model)
    found, gone = {}, []
    for name in COUNTERS:
        version = _find(store, name, known[name]) if name in known else None
        if version is None:
            gone.append(f"{name} {short(known.get(name))} (published: {short(_published(store, name))})")
        else:
            found[name] = version
    if gone:
        raise CountersGoneError(
            f"model {short(model.version)} was promoted with counters that are gone: {', '.join(gone)}; "
            "`engage run` decides anew which model predicts"
        )
    return found


def pinned(store: Reader, name: str) -> set[str]:
    """Returns the versions of the artifact `name` that a current or kept model reads: they must not be removed."""
    if name not in COUNTERS:
        return set()
    models = [one for model in MODELS for one in (store.current(model), *store.kept(model)) if one]
    return {version for one in models if (version := counters_of(store, one.manifest).get(name))}


def read_now(store: Reader, name: str) -> dict[str, str]:
    """Returns the counters that the current model reads; empty for any artifact but the submission."""
    model = store.current(MODEL) if name == SUBMISSION else None
    return noted(model.manifest) if model else {}


def _find(store: Reader, name: str, version: str) -> Version | None:
    if _published(store, name) == version:
        return store.open(name)
    return next((one for one in store.kept(name) if one.manifest.version == version), None)


def _published(store: Reader, name: str) -> str | None:
    manifest = store.manifest(name)
    return manifest.version if manifest else None


def short(version: str | None) -> str:
    """Returns the first 8 characters of a version, for messages."""
    return version[:8] if version else "unknown"
