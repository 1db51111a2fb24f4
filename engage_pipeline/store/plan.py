"""Which artifacts have to be made again, why, and in which order.

The plan is made in segments: artifacts that do not depend on each other, either all partitioned or none, as an
orchestrator's run wants it. The next segment is planned when the one before is done, so that an artifact that came out
unchanged stops the recomputation below it. What does not belong here: running anything.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.errors import UserError
from engage_pipeline.files.raw_parts import Listing, find_part, find_parts, list_parts
from engage_pipeline.settings.settings import Settings
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
"""What the settings of raw files name."""
SEGMENTS = _segments()
"""Every artifact once, after all of its inputs."""


@dataclass(frozen=True)
class Step:
    """One artifact, or one part of it, to be made, and why."""

    artifact: str
    key: str | None
    reason: str


def parts_a_run(settings: Settings, artifact: str) -> int:
    """How many parts of an artifact one run makes at most. Features of many read the counters of the window once."""
    parts = settings.max_n_parts_in_memory
    return max(parts, settings.engine.parts_at_once) if artifact == "interaction_features" else parts


def raw_sources(settings: Settings, name: str, key: str | None = None) -> list[Path]:
    """The files outside the store that an artifact is made of: raw parts, or the weights of a local encoder.

    Raises UserError where a file or folder is missing.
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
    if name == "finetuned_encoder" and Path(settings.encoder.model).is_dir():
        folder = Path(settings.encoder.model)
        return sorted([*folder.glob("*.safetensors"), *folder.glob("config.json")])
    return []


def training_parts(settings: Settings) -> dict[str, Path]:
    """The raw training parts that the settings ask for, by part name, sorted. Raises UserError where there are none."""
    with _naming("recsys_data", settings):
        found = find_parts(settings.recsys_data, follow_links=settings.follow_links)
    return dict(list(found.items())[: settings.max_n_parts])


def training_listing(settings: Settings) -> Listing:
    """The training parts that the settings ask for, and what is wrong with other files: these hide no good part.

    Raises UserError where the folder is missing.
    """
    with _naming("recsys_data", settings):
        listing = list_parts(settings.recsys_data, follow_links=settings.follow_links)
    return Listing(dict(list(listing.parts.items())[: settings.max_n_parts]), listing.problems)


def parts_with_files(settings: Settings) -> set[str]:
    """The training parts of which there is a file, whatever is wrong with it, and whether the settings ask for it.

    Raises UserError where the folder is missing or holds no part: its disk is not mounted.
    """
    listing = list_parts(settings.recsys_data, follow_links=settings.follow_links)
    if not listing.parts and not listing.problems:
        training_parts(settings)
    return {*listing.parts, *listing.problems}


@contextmanager
def _naming(setting: str, settings: Settings) -> Iterator[None]:
    """Adds to an error about raw files that are not there which setting says where they are."""
    try:
        yield
    except UserError as error:
        path = getattr(settings, setting)
        if path.is_dir() and any(path.iterdir()):
            raise
        raise UserError(f"{error}; set {setting} to {_RAW[setting]}") from error


def plan_segment(store: ArtifactStore, names: Sequence[str]) -> list[Step]:
    """The steps of one segment, in order: what would come out otherwise if it were made now."""
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
