"""Makes the features of parts of the store; publishes those of training parts, many parts at once.

What does not belong here: the content of the files (writing, drift.profile).
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.files.parquet import require_schema
from engage_pipeline.interactions.features.windows import Counts, Kind
from engage_pipeline.interactions.drift.profile import write_profile
from engage_pipeline.interactions.features.writing import Written, write_features_of_parts
from engage_pipeline.interactions.graphs.similarity import SIMILAR_AUTHORS
from engage_pipeline.store.facts import Facts
from engage_pipeline.store.file_names import FEATURES, PROFILE_ENDING, TWEETS
from engage_pipeline.store.manifests import Manifest
from engage_pipeline.store.measured import PartResult, making, published
from engage_pipeline.store.store import ArtifactStore, Draft

ARTIFACT = "interaction_features"


def open_counts(store: ArtifactStore) -> Counts:
    """Returns the published counters and the similarity graph, undamaged."""
    return {
        "training_counts": store.open("interaction_counts").directory(),
        "similarity": store.open("author_similarity").path(SIMILAR_AUTHORS),
        "validation_counts": store.open("validation_counts").directory(),
    }


def write_parts(store: ArtifactStore, parts: Sequence[tuple[Path, Path]], kind: Kind) -> int:
    """Writes features for each pair of tweets and output, and their profile beside it; returns the number of rows."""
    rows = 0
    written = write_features_of_parts(parts, kind=kind, settings=store.settings, **open_counts(store))
    for (_, features), each in zip(parts, written, strict=True):
        _finish(features, kind, store)
        rows += each.rows
    return rows


def publish_parts(store: ArtifactStore, keys: Sequence[str]) -> dict[str, PartResult]:
    """Makes and publishes the features of the training parts `keys`; returns the result of each, in their order.

    They are made together, so that the counters are read once. An error may concern one part only, so the remaining
    parts are then made one by one.
    """
    results: dict[str, PartResult] = {}
    try:
        _publish_together(store, keys, results)
    except UserError as error:
        left = [key for key in keys if key not in results]
        for key in left:
            results |= publish_parts(store, [key]) if len(keys) > 1 else {key: error}
    return {key: results[key] for key in keys}


def _publish_together(store: ArtifactStore, keys: Sequence[str], results: dict[str, PartResult]) -> None:
    """Adds the result of each part to `results` as soon as it is known.

    Raises UserError if the work on all parts, or on an open one, fails; unpublished parts are discarded.
    """
    with ExitStack() as drafts:
        parts: dict[str, _OpenPart] = {}
        for key in keys:
            try:
                parts[key] = _open(store, key, drafts)
            except UserError as error:
                results[key] = error
        files = [(part.tweets, part.features) for part in parts.values()]
        features = write_features_of_parts(files, kind="training", settings=store.settings, **open_counts(store))
        written = drafts.enter_context(closing(features))
        for (key, part), each in zip(parts.items(), written, strict=True):
            results[key] = part.publish(store, each)


@dataclass(frozen=True)
class _OpenPart:
    """A part that is being made. Closing `publication` publishes it; an earlier error discards it."""

    tweets: Path
    draft: Draft
    publication: ExitStack

    @property
    def features(self) -> Path:
        return self.draft.path(FEATURES)

    def publish(self, store: ArtifactStore, written: Written) -> Manifest:
        """Completes the part, whose features are `written`."""
        started = time.monotonic()
        _finish(self.features, "training", store)
        self.draft.rows = written.rows
        self.draft.record(Facts(seconds=round(written.seconds + time.monotonic() - started, 2)))
        self.publication.close()
        return published(self.draft)


def _open(store: ArtifactStore, key: str, drafts: ExitStack) -> _OpenPart:
    """Opens the draft of a part, which `drafts` closes at the latest. If it raises UserError, no draft stays open."""
    with ExitStack() as opening:
        draft = opening.enter_context(making(store, ARTIFACT, key))
        tweets = store.open("tweet_parts", key).path(TWEETS)
        return _OpenPart(tweets, draft, drafts.enter_context(opening.pop_all()))


def _finish(features: Path, kind: Kind, store: ArtifactStore) -> None:
    """Checks the columns of the file `features` and writes the profile of its rows beside it."""
    families = store.settings.features.counters
    wanted = schema.feature_schema(labelled=kind != "test", validation=kind == "validation", families=families)
    require_schema(features, wanted)
    write_profile(features, features.with_suffix(PROFILE_ENDING), store.settings)
