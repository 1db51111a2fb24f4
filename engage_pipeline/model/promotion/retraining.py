"""Changes of the training parts since the network was trained."""

from collections.abc import Mapping
from dataclasses import dataclass

from engage_pipeline.plurals import first_few
from engage_pipeline.store.manifests import label
from engage_pipeline.store.store import ArtifactStore

FEATURES = "interaction_features"
TWEETS = "tweet_parts"


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
    """Returns how the ingested parts differ from those of the network's training; None if it was never trained.

    Raises UserError if a manifest can't be read.
    """
    network = store.manifest("pretrained_network")
    if network is None:
        return None
    prefix = label(FEATURES, "")
    trained = {
        name.removeprefix(prefix): version for name, version in network.inputs.items() if name.startswith(prefix)
    }
    return part_changes(trained, {key: _features_version(store, key) for key in store.parts_of("pretrained_network")})


def _features_version(store: ArtifactStore, key: str) -> str | None:
    """Returns the version of the part's features; None if they were not made from the current tweets."""
    features, tweets = store.manifest(FEATURES, key), store.manifest(TWEETS, key)
    if features is None or tweets is None or features.inputs[label(TWEETS, key)] != tweets.version:
        return None
    return features.version
