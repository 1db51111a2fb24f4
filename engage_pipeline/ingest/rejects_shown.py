"""Shows the rejected lines of a published part or of a failed attempt: file, line, reason and bytes.

What does not belong here: writing them (rejects) and keeping them (rejected_part).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.errors import UserError
from engage_pipeline.files.raw_parts import stem
from engage_pipeline.ingest.deletions.forgetting import INGESTED
from engage_pipeline.ingest.facts import facts_by_part
from engage_pipeline.ingest.rejected_part import kept_rejects
from engage_pipeline.ingest.rejects import read_rejects, rejected_file
from engage_pipeline.plurals import counted
from engage_pipeline.store.file_names import REJECTS
from engage_pipeline.store.manifests import Manifest, split_label
from engage_pipeline.store.store import ArtifactStore

_RAW_CHARACTERS = 500


@dataclass(frozen=True)
class _Found:
    """Files of rejected lines, and words for where they come from."""

    paths: tuple[Path, ...]
    of: str


def rejects_text(store: ArtifactStore, part: str, limit: int) -> Iterator[str]:
    """Yields lines for the terminal: how many lines of `part` are rejected, then the first `limit` of them.

    `part` is a training part, `validation_tweets`, `test_tweets` or one part of it (`test_tweets/part-00000`). After a
    failed attempt, its lines are shown, not those of the version before. Raises UserError if there is neither, or no
    part is named where one is needed.
    """
    found = _find(store, part)
    total = sum(pq.read_metadata(path).num_rows for path in found.paths)
    yield f"{part}: {counted(total, 'rejected line')} {found.of}" + (f", the first {limit:,}" if limit < total else "")
    yield from islice((line for path in found.paths for line in _lines(path)), limit)


def _lines(path: Path) -> Iterator[str]:
    file = rejected_file(path)
    for reject in read_rejects(path):
        shown = repr(reject.raw[:_RAW_CHARACTERS])[2:-1]
        more = f"… ({len(reject.raw):,} bytes)" if len(reject.raw) > _RAW_CHARACTERS else ""
        reason = reject.reason if reject.reason.isprintable() else repr(reject.reason)[1:-1]
        yield f"{file}, line {reject.line} (from 0): {reason} | {shown}{more}"


def _of_lines(manifest: Manifest, inner: str | None) -> str:
    lines = [part.lines for name, part in facts_by_part(manifest).items() if inner in {None, name}]
    return f"of {sum(lines):,} lines"


def _find(store: ArtifactStore, part: str) -> _Found:
    name, key = split_label(part) if "/" in part else (part, None)
    if name not in INGESTED:
        name, key = "tweet_parts", part
    inner = None if ARTIFACTS[name].partitioned else key
    key = key if ARTIFACTS[name].partitioned else None
    if ARTIFACTS[name].partitioned and key is None:
        raise UserError(f"{part}: name a part, such as {name}/{next(_training_parts(store), 'part-00000')}")
    kept = kept_rejects(store.folder(name, key))
    if kept.is_file() and (inner is None or _are_of(kept, inner)):
        return _Found((kept,), "kept of an attempt that failed")
    manifest = store.manifest(name, key)
    if manifest is None:
        there = ", ".join(_training_parts(store)) or "none"
        raise UserError(
            f"{part}: no row of such a part was read into {store.root}, so there are no rejected lines; if it failed, "
            f"`engage run` says why again; training parts there: {there}"
        )
    version = store.version(manifest)
    files = [file for file in sorted(manifest.files) if file.endswith(REJECTS)]
    if inner is not None:
        files = [file for file in files if file == f"{inner}.{REJECTS}"]
    if not files:
        raise UserError(f"{part}: no part {inner} in {name}")
    return _Found(tuple(version.path(file) for file in files), _of_lines(manifest, inner))


def _training_parts(store: ArtifactStore) -> Iterator[str]:
    return (str(key) for key in store.keys_on_disk("tweet_parts") if store.manifest("tweet_parts", key))


def _are_of(kept: Path, part: str) -> bool:
    """Returns whether rejected lines are of this part; without lines they are of none."""
    file = rejected_file(kept)
    return bool(file) and stem(Path(file)) == part
