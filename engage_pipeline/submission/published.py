"""What predicting reads of what is published: the model, and the counters that it was judged on.

These counters may be older than the published ones: a run that died between counting and promotion leaves new counters
beside the old model (store.promoted_counters).
"""

import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pyarrow.parquet as pq

from engage_pipeline.errors import UserError
from engage_pipeline.interactions.counters.family_counts import Counts
from engage_pipeline.interactions.graphs.similarity import SIMILAR_AUTHORS
from engage_pipeline.model.bundle import TrainedModel
from engage_pipeline.model.promotion.predicting import predicting_model
from engage_pipeline.store.promoted_counters import COUNTERS, CountersGoneError, find_counters, short
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.store.versions import Version

LOGGER = logging.getLogger("engage_pipeline")

LEAST_SLICE_ROWS, MOST_SLICE_ROWS = 32_768, 16_777_216
COUNTS_A_ROW = 64
"""Rows of the counters that are read for each row of a slice: looking a slice up reads all of them, 0.1 microseconds
each."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class Published:
    """The model and its version, where the counters lie, and how many rows are joined with them at a time."""

    model: TrainedModel
    version: str
    counts: Counts
    slice_rows: int


@dataclass(frozen=True)
class Held:
    """Folders that stay readable while their scratch folder is there, however often their artifacts are made anew."""

    model: Path
    version: str
    counts: Counts

    def load(self, threads: int | None) -> Published:
        """What lies there. Raises UserError as TrainedModel.load does."""
        return _published(TrainedModel.load(self.model, threads), self.version, self.counts)


def hold_published(store: ArtifactStore, scratch: Path, *, allow_mixed: bool = False) -> Held:
    """Links in the folder `scratch`, in the same file system, to the model of now and the counters it was judged on.

    Raises UserError where some of it is not there, is damaged or was made with other settings, and where no model
    predicts yet. Where these counters are gone, `allow_mixed` takes the published ones.
    """

    def hold(model: Version, counters: Mapping[str, Version]) -> Held:
        folders = {name: _linked(version, scratch) for name, version in counters.items()}
        return Held(_linked(model, scratch), model.manifest.version, counts_in(folders))

    return _unless_replaced(store, hold, allow_mixed=allow_mixed)


def open_published(store: ArtifactStore, threads: int | None, *, allow_mixed: bool = False) -> Published:
    """The same without links, for work so short that it is not replaced twice meanwhile. Raises as hold_published."""

    def load(model: Version, counters: Mapping[str, Version]) -> Published:
        folders = {name: version.directory() for name, version in counters.items()}
        return _published(TrainedModel.load(model, threads), model.manifest.version, counts_in(folders))

    return _unless_replaced(store, load, allow_mixed=allow_mixed)


def slice_rows(folders: Sequence[Path]) -> int:
    """Rows of a slice that is worth one pass over the counters in `folders`: more for large counters."""
    counters = sum(pq.read_metadata(path).num_rows for folder in folders for path in folder.glob("*.parquet"))
    return min(max(counters // COUNTS_A_ROW, LEAST_SLICE_ROWS), MOST_SLICE_ROWS)


def counts_in(folders: Mapping[str, Path]) -> Counts:
    """Where write_features finds the counters of the versions in `folders`, by artifact."""
    return {
        "training_counts": folders["interaction_counts"],
        "similarity": folders["author_similarity"] / SIMILAR_AUTHORS,
        "validation_counts": folders["validation_counts"],
    }


def _published(model: TrainedModel, version: str, counts: Counts) -> Published:
    return Published(model, version, counts, slice_rows([counts["training_counts"], counts["validation_counts"]]))


def _unless_replaced(
    store: ArtifactStore, use: Callable[[Version, Mapping[str, Version]], _T], *, allow_mixed: bool
) -> _T:
    """`use` of the current model and its counters: once more if one of them became an old version meanwhile, whose
    files may be gone."""
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
    """The counters that the model was judged on, by name; those published now where they are gone and may be mixed."""
    try:
        found = find_counters(store, model.manifest)
    except CountersGoneError as error:
        published = {name: store.open(name) for name in COUNTERS}
        if not allow_mixed:
            raise UserError(f"{error}, --allow-mixed predicts with those that are published") from None
        LOGGER.warning("mixed as asked for: %s", error)
        return published
    older = [
        f"{name} {short(version.manifest.version)}"
        for name, version in found.items()
        if version.manifest.directory != (now.directory if (now := store.manifest(name)) else None)
    ]
    if older:
        LOGGER.info(
            "model %s reads the counters that it was promoted with, not those published since: %s",
            short(model.manifest.version),
            ", ".join(older),
        )
    return found


def _linked(version: Version, scratch: Path) -> Path:
    """A folder of links to the version's files that outlives it."""
    directory = version.directory()
    links = Path(tempfile.mkdtemp(prefix=f"{version.manifest.artifact}-", dir=scratch))
    for name in version.manifest.files:
        (links / name).hardlink_to(directory / name)
    return links
