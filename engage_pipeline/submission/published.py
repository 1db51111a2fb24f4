"""What predicting reads of what is published: the model, and the counters behind the features."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pyarrow.parquet as pq

from engage_pipeline.artifacts import ArtifactStore
from engage_pipeline.errors import UserError
from engage_pipeline.interactions.similarity import SIMILAR_AUTHORS
from engage_pipeline.model.bundle import TrainedModel
from engage_pipeline.model.predicting import predicting_model
from engage_pipeline.versions import Version

LEAST_SLICE_ROWS, MOST_SLICE_ROWS = 32_768, 16_777_216
COUNTS_A_ROW = 64
"""Rows of the counters that are read for each row of a slice: looking a slice up reads all of them, 0.1 microseconds
each."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class Published:
    """The model, where the counters lie, and how many rows are joined with them at a time."""

    model: TrainedModel
    counts: dict[str, Path]
    slice_rows: int


@dataclass(frozen=True)
class Held:
    """Folders that stay readable while their scratch folder is there, however often their artifacts are made anew."""

    model: Path
    counts: dict[str, Path]

    def load(self, threads: int | None) -> Published:
        """What lies there. Raises UserError as TrainedModel.load does."""
        return _published(TrainedModel.load(self.model, threads), self.counts)


def hold_published(store: ArtifactStore, scratch: Path) -> Held:
    """Links in the folder `scratch`, in the same file system, to what is published now.

    Raises UserError where some of it is not there, is damaged or was made with other settings, and where no model
    predicts yet.
    """
    predicting_model(store)
    names = ("trained_model", "interaction_counts", "author_similarity", "validation_counts")
    folders = {name: _unless_replaced(store, name, lambda version: _linked(version, scratch)) for name in names}
    return Held(folders["trained_model"], _counts(folders))


def open_published(store: ArtifactStore, threads: int | None) -> Published:
    """What is published now, for work so short that it is not replaced twice meanwhile. Raises as hold_published."""
    predicting_model(store)
    names = ("interaction_counts", "author_similarity", "validation_counts")
    folders = {name: _unless_replaced(store, name, Version.directory) for name in names}
    model = _unless_replaced(store, "trained_model", lambda version: TrainedModel.load(version, threads))
    return _published(model, _counts(folders))


def slice_rows(folders: Sequence[Path]) -> int:
    """Rows of a slice that is worth one pass over the counters in `folders`: more for large counters."""
    counters = sum(pq.read_metadata(path).num_rows for folder in folders for path in folder.glob("*.parquet"))
    return min(max(counters // COUNTS_A_ROW, LEAST_SLICE_ROWS), MOST_SLICE_ROWS)


def _counts(folders: dict[str, Path]) -> dict[str, Path]:
    """Where write_features finds them."""
    return {
        "training_counts": folders["interaction_counts"],
        "similarity": folders["author_similarity"] / SIMILAR_AUTHORS,
        "validation_counts": folders["validation_counts"],
    }


def _published(model: TrainedModel, counts: dict[str, Path]) -> Published:
    return Published(model, counts, slice_rows([counts["training_counts"], counts["validation_counts"]]))


def _unless_replaced(store: ArtifactStore, name: str, use: Callable[[Version], _T]) -> _T:
    """`use` of the current version: once more if it became an old one meanwhile, whose files may be gone."""
    while True:
        version = store.open(name)
        try:
            return use(version)
        except (UserError, FileNotFoundError):
            if store.open(name).manifest.directory == version.manifest.directory:
                raise


def _linked(version: Version, scratch: Path) -> Path:
    """A folder of links to the version's files that outlives it."""
    directory = version.directory()
    links = Path(tempfile.mkdtemp(prefix=f"{version.manifest.artifact}-", dir=scratch))
    for name in version.manifest.files:
        (links / name).hardlink_to(directory / name)
    return links
