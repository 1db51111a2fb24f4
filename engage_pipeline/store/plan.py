"""Plans which artifacts to make again, why, and in which order.

A plan has segments: artifacts that do not depend on each other, either all partitioned or none, because a run of the
orchestrator needs that. Each segment is planned after the previous one is done, so that an artifact that came out
unchanged stops the recomputation below it. What does not belong here: running anything.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.errors import UserError
from engage_pipeline.files.raw_parts import Listing, find_part, find_parts, list_parts
from engage_pipeline.locations.location import Location
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.file_names import TOKENIZER_FILES
from engage_pipeline.store.store import ArtifactStore


def _segments() -> list[tuple[str, ...]]:
    depths: dict[str, int] = {}
    for artifact in ARTIFACTS.values():
        depths[artifact.name] = 1 + max((depths[parent] for parent in artifact.inputs), default=0)
    places = {name: (depth, not ARTIFACTS[name].partitioned) for name, depth in depths.items()}
    return [tuple(name for name in places if places[name] == place) for place in sorted(set(places.values()))]


_RAW = {
    "recsys_data": "the folder of the training parts",
    "validation_part": "the validation part, which has labels",
    "test_data": "the folder of the test parts (of a split of your own, if the challenge's are not there)",
}
"""What each setting of raw files names."""
SEGMENTS = _segments()
"""Every artifact once, after all of its inputs."""


@dataclass(frozen=True)
class Step:
    """An artifact, or a part of it, to make, and the reason."""

    artifact: str
    key: str | None
    reason: str


def parts_a_run(settings: Settings, artifact: str) -> int:
    """Returns the most parts of an artifact per run; more for features, since a run reads all counters once."""
    parts = settings.max_n_parts_in_memory
    return max(parts, settings.engine.parts_at_once) if artifact == "interaction_features" else parts


def raw_sources(settings: Settings, name: str, key: str | None = None) -> list[Location]:
    """Returns the files outside the store from which an artifact is made: raw parts, or the files of a local encoder.

    Raises UserError if a file or folder is missing.
    """
    if name == "tweet_parts":
        listing = training_listing(settings)
        if key in listing.problems:
            raise UserError(listing.problems[key])
        return [path for part, path in listing.parts.items() if part == key]
    if name == "validation_tweets":
        with _naming("validation_part", settings):
            return [find_part(settings.validation_part, follow_links=settings.follow_links)]
    if name == "test_tweets":
        with _naming("test_data", settings):
            return list(find_parts(settings.test_data, follow_links=settings.follow_links).values())
    base = settings.encoder.base if name == "finetuned_encoder" else None
    if base is not None and Path(base).is_absolute() and Path(base).is_dir():
        folder = Path(base)
        tokenizer = [folder / one for one in TOKENIZER_FILES if (folder / one).is_file()]
        return sorted([*folder.glob("*.safetensors"), *folder.glob("config.json"), *tokenizer])
    return []


def training_parts(settings: Settings) -> dict[str, Location]:
    """Returns the raw training parts of the settings, by part name, sorted. Raises UserError if there are none."""
    with _naming("recsys_data", settings):
        found = find_parts(settings.recsys_data, follow_links=settings.follow_links)
    return dict(list(found.items())[: settings.max_n_parts])


def training_listing(settings: Settings) -> Listing:
    """Returns the training parts of the settings, and the problems of bad files, which hide no good part.

    Raises UserError if the folder is missing.
    """
    with _naming("recsys_data", settings):
        listing = list_parts(settings.recsys_data, follow_links=settings.follow_links)
    return Listing(dict(list(listing.parts.items())[: settings.max_n_parts]), listing.problems)


def parts_with_files(settings: Settings) -> set[str]:
    """Returns the names of all training parts with a file, also bad ones and those beyond `max_n_parts`.

    Raises UserError if the folder is missing or holds no part: its disk may not be mounted.
    """
    listing = list_parts(settings.recsys_data, follow_links=settings.follow_links)
    if not listing.parts and not listing.problems:
        training_parts(settings)
    return {*listing.parts, *listing.problems}


@contextmanager
def _naming(setting: str, settings: Settings) -> Iterator[None]:
    """Adds to an error about missing raw files the setting with their path."""
    try:
        yield
    except UserError as error:
        path = getattr(settings, setting)
        if path.is_dir() and any(path.iterdir()):
            raise
        raise UserError(f"{error}; set {setting} to {_RAW[setting]}") from error


def plan_segment(store: ArtifactStore, names: Sequence[str]) -> list[Step]:
    """Returns the steps of one segment in order: its stale artifacts and parts."""
    steps = []
    for name in names:
        for key in _keys(store, name):
            reason = store.stale(name, key, raw_sources(store.settings, name, key))
            if reason:
                steps.append(Step(name, key, reason))
    return steps


def _keys(store: ArtifactStore, name: str) -> Sequence[str | None]:
    if not ARTIFACTS[name].partitioned:
        return [None]
    if name == "tweet_parts":
        return list(training_parts(store.settings))
    return store.parts()[: store.settings.max_n_parts]
