"""What a training would bring: changed parts since the last one that ended, and a candidate that was not judged."""

from collections.abc import Mapping
from dataclasses import dataclass

from engage_pipeline.plurals import first_few
from engage_pipeline.store.manifests import label
from engage_pipeline.store.store import ArtifactStore

FEATURES = "interaction_features"
TWEETS = "tweet_parts"
CANDIDATE, MODEL = "candidate_model", "trained_model"


@dataclass(frozen=True)
class PartChanges:
    """Parts that were added, changed and removed since a training, each sorted."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        """Returns whether there is any change."""
        return bool(self.added or self.changed or self.removed)

    def __str__(self) -> str:
        """Returns such as `2 parts added (part-00004, part-00005), 1 removed (part-00001)`."""
        named = {"added": self.added, "changed": self.changed, "removed": self.removed}
        counts = [f"{len(keys)} {what} ({first_few(keys)})" for what, keys in named.items() if keys]
        noun = " part " if counts and counts[0].startswith("1 ") else " parts "
        return ", ".join(counts).replace(" ", noun, 1) if counts else "no part changed"


def part_changes(trained: Mapping[str, str], now: Mapping[str, str | None]) -> PartChanges:
    """Compares the parts of a training with the current ones, by name and version; None = not made yet."""
    return PartChanges(
        added=tuple(sorted(now.keys() - trained.keys())),
        changed=tuple(sorted(key for key in now.keys() & trained.keys() if now[key] != trained[key])),
        removed=tuple(sorted(trained.keys() - now.keys())),
    )


def changes_since_training(store: ArtifactStore) -> PartChanges | None:
    """Returns how the ingested parts differ from those of the candidate's training; None if no model was ever judged.

    The candidate is the last that is trained: where a training failed before, what it learned of is still a change.
    Raises UserError if a manifest can't be read.
    """
    candidate = store.manifest(CANDIDATE)
    if candidate is None or store.manifest(MODEL) is None:
        return None
    prefix = label(FEATURES, "")
    trained = {
        name.removeprefix(prefix): version for name, version in candidate.inputs.items() if name.startswith(prefix)
    }
    return part_changes(trained, {key: _features_version(store, key) for key in store.parts_of(CANDIDATE)})


def candidate_waits(store: ArtifactStore) -> bool:
    """Returns whether there is a candidate of which no decision was made. Raises UserError as above."""
    candidate, model = store.manifest(CANDIDATE), store.manifest(MODEL)
    return candidate is not None and model is not None and model.inputs[CANDIDATE] != candidate.version


def _features_version(store: ArtifactStore, key: str) -> str | None:
    """Returns the version of the part's features; None if they were not made from the current tweets."""
    features, tweets = store.manifest(FEATURES, key), store.manifest(TWEETS, key)
    if features is None or tweets is None or features.inputs[label(TWEETS, key)] != tweets.version:
        return None
    return features.version
