"""The published artifacts that predictions need: the model, and the counters with which it was judged.

These counters may be older than the published ones: a run that died between counting and promotion leaves new counters
beside the old model (store.promoted_counters).
"""

import logging
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.interactions.counters.counting import read_by_prediction
from engage_pipeline.interactions.features.windows import Counts
from engage_pipeline.machine.device import Device
from engage_pipeline.model.bundle import TrainedModel
from engage_pipeline.model.promotion.predicting import predicting_model
from engage_pipeline.store.promoted_counters import COUNTERS, CountersGoneError, find_counters, short
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.store.versions import Version

LOGGER = logging.getLogger("engage_pipeline")

_T = TypeVar("_T")


@dataclass(frozen=True)
class Published:
    """The model and its version, and the paths of the counters."""

    model: TrainedModel
    version: str
    counts: Counts


@dataclass(frozen=True)
class Held:
    """Folders that stay readable as long as their scratch folder exists, however often their artifacts are remade."""

    model: Path
    version: str
    counts: Counts

    def load(self, threads: int | None, device: Device = "cpu") -> Published:
        """Loads the model of these folders. Raises UserError as TrainedModel.load does."""
        return Published(TrainedModel.load(self.model, threads, device), self.version, self.counts)


def hold_published(store: ArtifactStore, scratch: Path, *, allow_mixed: bool = False) -> Held:
    """Links the current model and its counters into the folder `scratch`, on the same file system.

    Raises UserError if no model predicts yet, or if one of them is missing, damaged or made with other settings. If the
    counters of the model's promotion are gone, `allow_mixed` uses the published ones instead.
    """

    def hold(model: Version, counters: Mapping[str, Version]) -> Held:
        folders = {name: _linked(version, scratch) for name, version in counters.items()}
        return Held(_linked(model, scratch), model.manifest.version, counts_in(folders))

    return _unless_replaced(store, hold, allow_mixed=allow_mixed)


def open_published(store: ArtifactStore, threads: int | None, *, allow_mixed: bool = False) -> Published:
    """Opens the same without links, for work so short that nothing is replaced twice meanwhile. Raises as
    hold_published."""

    def load(model: Version, counters: Mapping[str, Version]) -> Published:
        folders = {name: version.directory(_files(version)) for name, version in counters.items()}
        return Published(TrainedModel.load(model, threads), model.manifest.version, counts_in(folders))

    return _unless_replaced(store, load, allow_mixed=allow_mixed)


def counts_in(folders: Mapping[str, Path]) -> Counts:
    """Returns the paths of the counters for write_features; `folders` by artifact."""
    return {
        "training_counts": folders["interaction_counts"],
        "similarity": folders["author_similarity"],
        "validation_counts": folders["validation_counts"],
    }


def _unless_replaced(
    store: ArtifactStore, use: Callable[[Version, Mapping[str, Version]], _T], *, allow_mixed: bool
) -> _T:
    """Calls `use` with the current model and its counters; again if one was replaced and removed meanwhile."""
    while True:
        before = _directories(store)
        try:
            model = predicting_model(store)
            return use(model, _counters(store, model, allow_mixed=allow_mixed))
        except (UserError, FileNotFoundError):
            if _directories(store) == before:
                raise


def _directories(store: ArtifactStore) -> list[str | None]:
    manifests = [store.manifest(name) for name in ("trained_model", *COUNTERS)]
    return [manifest.directory if manifest else None for manifest in manifests]


def _counters(store: ArtifactStore, model: Version, *, allow_mixed: bool) -> Mapping[str, Version]:
    """Returns the counters with which the model was judged, by name; if they are gone and `allow_mixed`, the published
    ones."""
    try:
        found = find_counters(store, model.manifest)
    except CountersGoneError as error:
        published = {name: store.open(name) for name in COUNTERS}
        if not allow_mixed:
            raise UserError(f"{error}, --allow-mixed predicts with the published ones") from None
        LOGGER.warning("predicting with the published counters (--allow-mixed): %s", error)
        return published
    older = [
        f"{name} {short(version.manifest.version)}"
        for name, version in found.items()
        if version.manifest.directory != (now.directory if (now := store.manifest(name)) else None)
    ]
    if older:
        LOGGER.info(
            "model %s reads the counters of its promotion, not the newer published ones: %s",
            short(model.manifest.version),
            ", ".join(older),
        )
    return found


def _files(version: Version) -> list[str]:
    """Returns the files of a version that prediction reads."""
    return read_by_prediction(version.manifest.files)


def _linked(version: Version, scratch: Path) -> Path:
    """Makes a folder of links to the version's files, which outlives the version; returns it."""
    files = _files(version)
    directory = version.directory(files)
    links = Path(tempfile.mkdtemp(prefix=f"{version.manifest.artifact}-", dir=scratch))
    for name in files:
        atomic.share(directory / name, links / name)
    return links
