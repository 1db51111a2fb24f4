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
from engage_pipeline.ingest.deletions.forgetting import INGESTED
from engage_pipeline.ingest.facts import facts_by_part
from engage_pipeline.ingest.rejected_part import kept_rejects
from engage_pipeline.ingest.rejects import read_rejects, rejected_file
from engage_pipeline.plurals import counted
from engage_pipeline.store.file_names import REJECTS
from engage_pipeline.store.manifests import Manifest, split_label
from engage_pipeline.store.rewriting import keys_on_disk
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
    failed attempt, its lines are shown, not those of the version before. Raises UserError if there is neither.
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


def _of_lines(manifest: Manifest) -> str:
    return f"of {sum(part.lines for part in facts_by_part(manifest).values()):,} lines"


def _find(store: ArtifactStore, part: str) -> _Found:
    name, key = split_label(part) if "/" in part else (part, None)
    if name not in INGESTED:
        name, key = "tweet_parts", part
    inner = None if ARTIFACTS[name].partitioned else key
    key = key if ARTIFACTS[name].partitioned else None
    folder = store.folder(name, key)
    if kept_rejects(folder).is_file():
        return _Found((kept_rejects(folder),), "kept of an attempt that failed")
    manifest = store.manifest(name, key)
    if manifest is None:
        keys = [str(one) for one in keys_on_disk(store, "tweet_parts") if store.manifest("tweet_parts", one)]
        there = ", ".join(keys) or "none"
        raise UserError(f"{part}: no such part was read into {store.root}; training parts there: {there}")
    version = store.version(manifest)
    files = [file for file in sorted(manifest.files) if file.endswith(REJECTS)]
    if inner is not None:
        files = [file for file in files if file == f"{inner}.{REJECTS}"]
    if not files:
        raise UserError(f"{part}: no part {inner} in {name}")
    return _Found(tuple(version.path(file) for file in files), _of_lines(manifest))
