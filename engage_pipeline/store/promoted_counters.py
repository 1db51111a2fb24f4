"""Which versions of the counters a model reads: those that it was compared on when it was last decided what predicts.

A model is judged by features that were joined from certain versions of the counters. The facts of candidate_model and
trained_model name these versions, and the store keeps them as long as one of these models is there, the kept ones
counted. Counters that were published since, by a run that has not come to its decision, are not read. What does not
belong here: the decision (model.promotion.promotion), and what reads the counters (submission.published).
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
    """The versions of COUNTERS that a model reads, by name; None where not all of them are known."""

    counters: dict[str, str] | None = None


class CountersGoneError(UserError):
    """The counters that a model was judged on are not there any more, or it is not known which they were."""


def made_of(features: Manifest) -> dict[str, str]:
    """The counters that a version of validation_features or test_features was joined from."""
    return {name: features.inputs[name] for name in COUNTERS if name in features.inputs}


def judged_on(store: Reader) -> CountersRead:
    """The fact of a model that is judged by the published validation_features; no fact where there are none."""
    features = store.current(_JUDGED_BY)
    return as_fact(made_of(features.manifest)) if features else CountersRead()


def published_now(store: Reader) -> CountersRead:
    """The fact of a model that is to read what is published now."""
    return as_fact({name: manifest.version for name in COUNTERS if (manifest := store.manifest(name))})


def as_fact(counters: dict[str, str]) -> CountersRead:
    """The fact of a model that reads these counters; no fact unless all of them are known."""
    return CountersRead(counters=counters) if counters.keys() == set(COUNTERS) else CountersRead()


def noted(manifest: Manifest) -> dict[str, str]:
    """The counters that the facts of a model, or of a submission, name; empty where they name none."""
    return CountersRead.read(manifest).counters or {}


def counters_of(store: Reader, model: Manifest) -> dict[str, str]:
    """The counters that a model reads; empty where that is not known.

    A model that an earlier version of the program published names none: it reads those of the features that it was
    judged by, if these are the published ones still.
    """
    if known := noted(model):
        return known
    features = store.current(_JUDGED_BY)
    if features is None or model.inputs.get(_JUDGED_BY) != features.manifest.version:
        return {}
    return made_of(features.manifest)


def find_counters(store: Reader, model: Manifest) -> dict[str, Version]:
    """The versions of COUNTERS that a model reads, by name.

    Raises CountersGoneError, in one line that names the versions.
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
            f"model {short(model.version)} was promoted with counters that are not there: {', '.join(gone)}; "
            "`engage run` decides anew which model predicts"
        )
    return found


def pinned(store: Reader, name: str) -> set[str]:
    """The versions of the artifact `name` that a model reads, kept ones counted: they are not to be removed."""
    if name not in COUNTERS:
        return set()
    models = [one for model in MODELS for one in (store.current(model), *store.kept(model)) if one]
    return {version for one in models if (version := counters_of(store, one.manifest).get(name))}


def read_now(store: Reader, name: str) -> dict[str, str]:
    """The counters that the model reads which predicts now; empty for any artifact but the submission."""
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
    """The beginning of a version, as it is shown."""
    return version[:8] if version else "unknown"
