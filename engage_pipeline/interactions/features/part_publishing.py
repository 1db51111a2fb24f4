"""Makes the features of parts of the store; publishes those of training parts.

What does not belong here: the content of the files (writing, drift.profile).
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.engines.tasks import attempt_items
from engage_pipeline.errors import UserError
from engage_pipeline.files.parquet import require_schema
from engage_pipeline.interactions.drift.profile import write_profile
from engage_pipeline.interactions.features.own_window import counted_shards
from engage_pipeline.interactions.features.windows import Counts, Kind, Windows
from engage_pipeline.interactions.features.writing import FeaturePart, write_features_of_parts, write_part
from engage_pipeline.machine import full_disk
from engage_pipeline.machine.spill import spill_folder
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.facts import Facts
from engage_pipeline.store.file_names import FEATURES, PROFILE_ENDING, TWEETS
from engage_pipeline.store.measured import PartResult, making, published_elsewhere
from engage_pipeline.store.promoted_counters import COUNTERS
from engage_pipeline.store.store import ArtifactStore

ARTIFACT = "interaction_features"
_SPILLED_BYTES = 60
"""Bytes a row on the way from the shards back to the parts, for the message of a full disk."""


def open_counts(store: ArtifactStore) -> Counts:
    """Returns the published counters and the similarity graph, undamaged."""
    return {
        "training_counts": store.open("interaction_counts").directory(),
        "similarity": store.open("author_similarity").directory(),
        "validation_counts": store.open("validation_counts").directory(),
    }


def write_parts(store: ArtifactStore, parts: Sequence[tuple[Path, Path]], kind: Kind) -> int:
    """Writes features for each pair of tweets and output, and their profile beside it; returns the number of rows."""
    rows = write_features_of_parts(parts, kind=kind, settings=store.settings, **open_counts(store))
    for _, features in parts:
        _finish(features, kind, store)
    return rows


def publish_parts(store: ArtifactStore, keys: Sequence[str]) -> dict[str, PartResult]:
    """Makes and publishes the features of the training parts `keys`; returns the result of each, in their order.

    The shards are worked on once for all of them; each part is then published by itself. An error on the shards is the
    result of every part.
    """
    results: dict[str, PartResult] = {}
    tweets: dict[str, Path] = {}
    for key in keys:
        try:
            tweets[key] = store.open("tweet_parts", key).path(TWEETS)
        except UserError as error:
            results[key] = error
    try:
        results |= _publish_together(store, tweets)
    except UserError as error:
        results |= dict.fromkeys(tweets, error)
    return {key: results[key] for key in keys}


def _publish_together(store: ArtifactStore, tweets: Mapping[str, Path]) -> dict[str, PartResult]:
    """Publishes the parts of `tweets`. Raises UserError if the work on the shards fails."""
    started = time.monotonic()
    made_of = _counters(store)
    windows = Windows.of(store.settings, open_counts(store))
    rows = [pq.read_metadata(path).num_rows for path in tweets.values()]
    with ExitStack() as stack:
        spill = spill_folder(store.settings)
        with full_disk.told_when_exhausted(ARTIFACT, [spill], lambda: _SPILLED_BYTES * sum(rows), store.settings):
            shards = stack.enter_context(counted_shards(list(tweets.values()), windows, store.settings))
        seconds = (time.monotonic() - started) / max(sum(rows), 1)
        publish = partial(_publish, windows, shards, made_of, seconds)
        parts = [_Part(place, key, path) for place, (key, path) in enumerate(tweets.items())]
        found = attempt_items(ARTIFACT, publish, parts, store.settings, rows)
    return {key: published_elsewhere(store, ARTIFACT, key, problem) for key, problem in zip(tweets, found, strict=True)}


@dataclass(frozen=True)
class _Part:
    """A part that was the `place`-th of those whose shards were worked on, with the file of its tweets."""

    place: int
    key: str
    tweets: Path


def _counters(store: ArtifactStore) -> dict[str, str]:
    """Returns the versions of the counters, by name."""
    return {name: manifest.version for name in COUNTERS if (manifest := store.manifest(name))}


def _publish(
    windows: Windows,
    shards: Path,
    made_of: Mapping[str, str],
    seconds: float,
    settings: Settings,
    part: _Part,
) -> None:
    """Publishes a part; `seconds` are what its rows took so far, each."""
    started = time.monotonic()
    store = ArtifactStore(settings)
    with making(store, ARTIFACT, part.key) as draft:
        tweets = store.open("tweet_parts", part.key).path(TWEETS)
        if tweets != part.tweets or _counters(store) != made_of:
            raise UserError(f"{ARTIFACT}/{part.key}: what it is made of was replaced meanwhile; make it again")
        features = draft.path(FEATURES)
        draft.rows = write_part(settings, FeaturePart(tweets, features, part.place, "training", windows, shards))
        _finish(features, "training", store)
        taken = seconds * draft.rows + time.monotonic() - started
        draft.record(Facts(seconds=round(taken, 2)))


def _finish(features: Path, kind: Kind, store: ArtifactStore) -> None:
    """Checks the columns of the file `features` and writes the profile of its rows beside it."""
    families = store.settings.features.counters
    wanted = schema.feature_schema(labelled=kind != "test", validation=kind == "validation", families=families)
    require_schema(features, wanted)
    write_profile(features, features.with_suffix(PROFILE_ENDING), store.settings)
