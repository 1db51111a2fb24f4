"""Opens what was made, for people's own programs: `engage_pipeline.open_artifact` and `engage path`.

What does not belong here: how the pipeline opens its own inputs (store).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engage_pipeline import schema
from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.errors import UserError
from engage_pipeline.plurals import first_few, meant
from engage_pipeline.settings.settings import load_settings
from engage_pipeline.store import file_names
from engage_pipeline.store.manifests import label
from engage_pipeline.store.mirror.following import open_store
from engage_pipeline.store.readable import no_part_ingested
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.store.versions import Version

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset, FileFormat

PART = "part"
"""The column that names the part of a row, in tables of several parts."""
_TABLES = {
    "tweet_parts": file_names.TWEETS,
    "validation_tweets": file_names.TWEETS,
    "author_similarity": "similar_authors.parquet",
    "user_communities": "communities.parquet",
    "interaction_features": file_names.FEATURES,
    "validation_features": file_names.FEATURES,
    "token_sketches": "token_vectors.parquet",
    "emde_sketches": "codes.parquet",
    "engagement_effects": "validation_effects.parquet",
    "evaluation": "holdout_predictions.parquet",
    "submission": file_names.RESULTS,
}
"""The file with the table of an artifact."""
_SIDE_FILES = {"test_tweets": f".{file_names.REJECTS}", "test_features": file_names.PROFILE_ENDING}
"""Of artifacts with a table for each test part: how the file beside `<part>.parquet` ends."""
_RESULT_IDS = ("tweet_id", "engaging_user_id")


@dataclass(frozen=True)
class _OpenedFile:
    """A file of a current version that passed its checks, and the part that it holds, if there are parts."""

    path: Path
    part: str | None


def open_artifact(
    name: str,
    part: str | None = None,
    *,
    file: str | None = None,
    config: Path | str | None = None,
    preset: str | None = None,
    verify: bool = True,
) -> "Dataset | Path":
    """Opens the current version of the artifact `name`, if it passed its checks, as a pyarrow dataset.

    The rows are those of the artifact's table, or of its other `file` (Parquet, Arrow, or results.csv). `part` chooses
    a training or test part; without it, the dataset has all of them and their names in the column `part`. What is no
    table, such as a model, is returned as the path of its folder or `file`. `config` and `preset` are those of
    `engage --config --preset`. Every file is read once to compare its SHA-256, unless `verify` is False.

    The files stay at least until the artifact was made again twice; `engage forget` removes those that held deleted
    rows at once. Raises UserError in one line: no such artifact or file, not made yet, made with other settings,
    damaged, or failed a check.
    """
    store = open_store(load_settings(Path(config) if config else None, preset=preset))
    files = _files(store, name, [] if part is None else [part], file, verify=verify)
    if not files:
        return _one(store, name).directory(hashed=verify)
    found = _dataset(files)
    return files[0].path if found is None else found


def current_paths(
    store: ArtifactStore, name: str, parts: Sequence[str] = (), *, files: bool = False, verify: bool = False
) -> list[Path]:
    """Returns the folder of the current version of an artifact, one for each part; of a test part its file.

    With `files`, the files of its table, or all files if it is no table. `verify` compares the SHA-256 of each file,
    else its size alone. Raises UserError as open_artifact does.
    """
    if files or (parts and name in _SIDE_FILES):
        if found := _files(store, name, parts, None, verify=verify):
            return [one.path for one in found]
        version = _one(store, name)
        return [version.path(one, hashed=verify) for one in version.manifest.files]
    return [version.directory(hashed=verify) for version in _versions(store, name, parts)]


def _files(
    store: ArtifactStore, name: str, parts: Sequence[str], file: str | None, *, verify: bool
) -> list[_OpenedFile]:
    """Returns the files of the table of an artifact, or its `file`, part by part; empty if the artifact is no table."""
    found = []
    for version in [_one(store, name)] if name in _SIDE_FILES else _versions(store, name, parts):
        for wanted, part in _names(version, parts, file):
            if wanted not in version.manifest.files:
                there = ", ".join(sorted(version.manifest.files))
                raise UserError(f"{label(name, version.manifest.key)} has no file {wanted}; its files are {there}")
            found.append(_OpenedFile(version.path(wanted, hashed=verify), part))
    return found


def _one(store: ArtifactStore, name: str) -> Version:
    (version,) = _versions(store, name, [])
    return version


def _versions(store: ArtifactStore, name: str, parts: Sequence[str]) -> list[Version]:
    if name not in ARTIFACTS:
        raise UserError(f"{name}: no such artifact; {meant(name, ARTIFACTS)}")
    if not ARTIFACTS[name].partitioned:
        if parts:
            raise UserError(f"{name} has no parts")
        return [store.open(name)]
    keys = parts or store.recorded_parts()[: store.settings.max_n_parts]
    nothing = no_part_ingested(store.settings)
    if not keys:
        raise UserError(nothing)
    for key in parts:
        if store.manifest(name, key) is None and key not in (ingested := store.recorded_parts()):
            there = f"the ingested parts are {first_few(ingested)}" if ingested else nothing
            raise UserError(f"{label(name, key)}: no such part; {there}")
    return [store.open(name, key) for key in keys]


def _names(version: Version, parts: Sequence[str], file: str | None) -> Iterator[tuple[str, str | None]]:
    """Yields the names of the files to open, each with its part."""
    name, key = version.manifest.artifact, version.manifest.key
    ending = _SIDE_FILES.get(name)
    if file is None and ending is not None:
        there = [one.removesuffix(ending) for one in version.manifest.files if one.endswith(ending)]
        for part in parts or there:
            if part not in there:
                raise UserError(f"{name}/{part} is not there; the parts of {name} are {', '.join(there)}")
            yield f"{part}.parquet", part
        return
    if parts and key is None:
        raise UserError(f"{name}: give a part or a file, not both")
    if wanted := file or _TABLES.get(name):
        yield wanted, key


def _dataset(files: Sequence[_OpenedFile]) -> "Dataset | None":
    """Returns the dataset over files of one kind, with the column `part` if they have parts; None if they are no
    table."""
    import pyarrow as pa
    import pyarrow.dataset as ds
    from pyarrow.fs import LocalFileSystem

    kind = _format(files[0].path)
    if kind is None:
        return None
    disk = LocalFileSystem()
    fragments = [
        kind.make_fragment(str(one.path), disk, None if one.part is None else ds.field(PART) == one.part)
        for one in files
    ]
    columns = fragments[0].physical_schema
    if files[0].part is not None:
        columns = columns.append(pa.field(PART, pa.string()))
    return ds.FileSystemDataset(fragments, columns, kind, disk)


def _format(path: Path) -> "FileFormat | None":
    import pyarrow as pa
    import pyarrow.csv as pc_csv
    import pyarrow.dataset as ds

    if path.name == file_names.RESULTS:
        types = dict.fromkeys(_RESULT_IDS, pa.string()) | dict.fromkeys(schema.SUBMISSION_ENGAGEMENTS, pa.float64())
        return ds.CsvFileFormat(
            read_options=pc_csv.ReadOptions(column_names=[*types]),
            convert_options=pc_csv.ConvertOptions(column_types=types),
        )
    return {".parquet": ds.ParquetFileFormat, ".arrow": ds.IpcFileFormat}.get(path.suffix, lambda: None)()
