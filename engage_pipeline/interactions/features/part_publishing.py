"""Features of parts of the store: those of training parts become published versions, many parts in one go.

What does not belong here: what is in the files (writing, drift.profile).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.files.parquet import require_schema
from engage_pipeline.interactions.counters.family_counts import Counts, Kind
from engage_pipeline.interactions.drift.profile import write_profile
from engage_pipeline.interactions.features.writing import write_features_of_parts
from engage_pipeline.interactions.graphs.similarity import SIMILAR_AUTHORS
from engage_pipeline.store.facts import Facts
from engage_pipeline.store.manifests import Manifest
from engage_pipeline.store.measured import making, published
from engage_pipeline.store.store import ArtifactStore, Draft

ARTIFACT = "interaction_features"


def open_counts(store: ArtifactStore) -> Counts:
    """The published counters and the similarity graph, checked."""
    return {
        "training_counts": store.open("interaction_counts").directory(),
        "similarity": store.open("author_similarity").path(SIMILAR_AUTHORS),
        "validation_counts": store.open("validation_counts").directory(),
    }


def write_parts(store: ArtifactStore, parts: Sequence[tuple[Path, Path]], kind: Kind) -> int:
    """Writes the features of each pair of tweets and output, and their profile beside it; returns how many rows."""
    rows = 0
    written = write_features_of_parts(parts, kind=kind, settings=store.settings, **open_counts(store))
    for (_, features), each in zip(parts, written, strict=True):
        _finish(features, kind, store)
        rows += each.rows
    return rows


def part_publisher(store: ArtifactStore, keys: Sequence[str]) -> Callable[[str], Manifest]:
    """What returns the manifest of each of `keys`, asked for in their order, once it is published.

    Raises UserError where one can't be made; the others are made nevertheless.
    """
    outcomes = zip(keys, _publish(store, keys), strict=True)

    def outcome(wanted: str) -> Manifest:
        found = next(found for key, found in outcomes if key == wanted)
        if isinstance(found, UserError):
            raise found
        return found

    return outcome


def _finish(features: Path, kind: Kind, store: ArtifactStore) -> None:
    """Checks the columns of the file `features` and writes the profile of its rows beside it."""
    require_schema(features, schema.feature_schema(labelled=kind != "test", validation=kind == "validation"))
    write_profile(features, features.with_suffix(".profile.parquet"), store.settings)


def _publish(store: ArtifactStore, keys: Sequence[str]) -> Iterator[Manifest | UserError]:
    """For each of `keys` its manifest, or why there is none."""
    done = 0
    try:
        for outcome in _publish_together(store, keys):
            done += 1
            yield outcome
    except UserError as error:
        if len(keys) == 1:
            yield error
            return
        for key in keys[done:]:  # what stops all of them may be the matter of one
            yield from _publish(store, [key])


def _publish_together(store: ArtifactStore, keys: Sequence[str]) -> Iterator[Manifest | UserError]:
    """As _publish, but raises UserError where looking up or writing fails."""
    with ExitStack() as stack:
        parts = [_open(store, key, stack) for key in keys]
        ready = [part for part in parts if isinstance(part, _Part)]
        files = [(part.tweets, part.features) for part in ready]
        counts = open_counts(store)
        written = write_features_of_parts(files, kind="training", settings=store.settings, **counts)
        stack.callback(written.close)
        for part in parts:
            if isinstance(part, UserError):
                yield part
                continue
            each = next(written)
            started = time.monotonic()
            _finish(part.features, "training", store)
            part.draft.rows = each.rows
            part.draft.record(Facts(seconds=round(each.seconds + time.monotonic() - started, 2)))
            part.closing.close()
            yield published(part.draft)


@dataclass(frozen=True)
class _Part:
    """A part that is being made: `closing` publishes it, an exception before discards it."""

    tweets: Path
    draft: Draft
    closing: ExitStack

    @property
    def features(self) -> Path:
        return self.draft.path("features.parquet")


def _open(store: ArtifactStore, key: str, stack: ExitStack) -> _Part | UserError:
    """Begins a part; `stack` ends it in time."""
    try:
        with ExitStack() as own:
            draft = own.enter_context(making(store, ARTIFACT, key))
            tweets = store.open("tweet_parts", key).path("tweets.parquet")
            return _Part(tweets, draft, stack.enter_context(own.pop_all()))
    except UserError as error:
        return error
