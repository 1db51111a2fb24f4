"""Forgets deleted tweets and users: finds the ingested parts that hold them and rewrites those without them.

A part records in its fact `deletions` the digest of the lists that were applied to it, so it is not searched twice for
the same lists. The raw files are the user's: they are named, never touched. What belongs here: artifacts of the ingest
stage. What does not: which rows match (rows), what must be made again (orchestration.automation).
"""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from engage_pipeline.engines.duckdb import DuckDBEngine
from engage_pipeline.errors import UserError
from engage_pipeline.files.atomic import exclusive, share
from engage_pipeline.ingest.deletions.lists import Deletions, read_deletions
from engage_pipeline.ingest.deletions.rows import DeletedRows, Hits, PartFiles
from engage_pipeline.ingest.facts import IngestedFacts, SeveralPartsFacts, facts_by_part
from engage_pipeline.ingest.rejected_part import kept_rejects
from engage_pipeline.ingest.report import facts_of_parts, summarise
from engage_pipeline.ingest.row_summary import RowSummary
from engage_pipeline.ingest.side_files import SAMPLE, SideFiles
from engage_pipeline.locations.location import is_uri
from engage_pipeline.progress import progress
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.deletion_ledger import enter, enter_replaced_inputs
from engage_pipeline.store.file_names import REJECTS, TWEETS
from engage_pipeline.store.manifests import Manifest, label
from engage_pipeline.store.rewriting import note_facts, rewrite
from engage_pipeline.store.store import LOOK_SECONDS, ArtifactStore, Draft, Version

LOGGER = logging.getLogger("engage_pipeline")
INGESTED = ("tweet_parts", "validation_tweets", "test_tweets")


@dataclass
class Forgotten:
    """The outcome: the new manifests; by label, how many deleted lines each artifact lost, and the problems."""

    rewritten: list[Manifest] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    looked_through: int = 0
    problems: dict[str, str] = field(default_factory=dict)


def waiting(store: ArtifactStore) -> set[str]:
    """Returns the labels of the ingested artifacts to which the current lists are not applied yet.

    Raises UserError: a list can't be read.
    """
    deletions = read_deletions(store.settings.deletions, follow_links=store.settings.follow_links)
    return {label(manifest.artifact, manifest.key) for manifest in _behind(store, deletions, {})}


def forget_rows(store: ArtifactStore, deletions: Deletions) -> Forgotten:
    """Rewrites every ingested part that holds deleted tweets or users, in the training set or not.

    A part that can't be opened or is being made becomes an entry of `problems`; the others are done. After a kill,
    call it again: it resumes.
    """
    done = Forgotten()
    if deletions:
        _forget_failed(store, deletions, done)
    behind = list(_behind(store, deletions, done.problems))
    if not behind:
        return done
    enter_replaced_inputs(store)
    rows = sum(manifest.rows or 0 for manifest in behind)
    with DuckDBEngine(store.settings, readable=[store.root]) as engine, progress("forget", rows) as tracker:
        deleted = DeletedRows(engine, deletions)
        for manifest in behind:
            name = label(manifest.artifact, manifest.key)
            try:
                _forget(store, deleted, manifest, done)
            except UserError as error:
                done.problems[name] = str(error)
            tracker.advance(manifest.rows or 0, name)
    return done


def _forget_failed(store: ArtifactStore, deletions: Deletions, done: Forgotten) -> None:
    """Removes deleted lines from the rejects of failed attempts, which belong to no version."""
    kept = [(name, key) for name in INGESTED for key in store.keys_on_disk(name)]
    kept = [(name, key) for name, key in kept if kept_rejects(store.folder(name, key)).is_file()]
    if not kept:
        return
    with DuckDBEngine(store.settings, readable=[store.root]) as engine:
        deleted = DeletedRows(engine, deletions)
        for name, key in kept:
            folder, made = store.folder(name, key), label(name, key)
            try:
                with exclusive(folder / ".lock", f"another run is making {made}", seconds=LOOK_SECONDS):
                    lines = deleted.remove_rejects(kept_rejects(folder))
            except UserError as error:
                done.problems[made] = str(error)
            else:
                done.lines |= {f"{made}, rejected lines of a failed attempt": lines} if lines else {}


def enter_replaced(store: ArtifactStore, name: str, key: str | None, deletions: Deletions) -> None:
    """Enters the current version of an artifact into the ledger if it holds deleted rows; called before a new ingest.

    A version that can't be read may hold some, so it is entered too.
    """
    try:
        manifest = store.manifest(name, key)
    except UserError:
        return
    if manifest is None or not deletions or IngestedFacts.read(manifest).deletions == deletions.digest:
        return
    version = store.version(manifest)
    with DuckDBEngine(store.settings, readable=[store.root]) as engine:
        deleted = DeletedRows(engine, deletions)
        try:
            holding = any(deleted.find(files).lines for files in _parts(version).values())
        except UserError:
            holding = True
    if holding:
        enter(store, [manifest])


def _behind(store: ArtifactStore, deletions: Deletions, problems: dict[str, str]) -> Iterator[Manifest]:
    """Yields the manifests of the ingested artifacts to which these lists are not applied."""
    if not deletions:
        return
    for name in INGESTED:
        for key in store.keys_on_disk(name):
            try:
                manifest = store.manifest(name, key)
            except UserError as error:
                problems[label(name, key)] = str(error)
                continue
            if manifest is not None and IngestedFacts.read(manifest).deletions != deletions.digest:
                yield manifest


def _forget(store: ArtifactStore, deleted: DeletedRows, manifest: Manifest, done: Forgotten) -> None:
    """Searches one artifact and rewrites it if it holds deleted lines."""
    name = label(manifest.artifact, manifest.key)
    version = store.version(manifest)
    parts = _parts(version)
    hits = {part: deleted.find(files) for part, files in parts.items()}
    lines = sum(found.lines for found in hits.values())
    done.looked_through += 1
    if not lines:
        note_facts(store, version, IngestedFacts(deletions=deleted.digest))
        return
    LOGGER.info("%s: %s deleted rows or rejected lines, rewritten without them", name, f"{lines:,}")
    enter(store, [manifest])
    started = time.monotonic()
    with rewrite(store, manifest.artifact, manifest.key) as (current, draft):
        if current.manifest.directory != manifest.directory:
            raise UserError(f"{name} was made anew meanwhile: run engage forget again")
        for part, files in parts.items():
            _write_part(store.settings, deleted, manifest, part, files, hits[part], draft)
        _write_side_files(parts, draft)
        draft.record(IngestedFacts(deletions=deleted.digest, seconds=round(time.monotonic() - started, 2)))
    done.lines[name] = lines
    if draft.manifest is not None:
        done.rewritten.append(draft.manifest)


def _write_side_files(parts: Mapping[str | None, PartFiles], draft: Draft) -> None:
    for part, part_files in parts.items():
        files = SideFiles(draft.path(f"{part}.{SAMPLE}")) if part else SideFiles.within(draft.directory)
        files.write(RowSummary.of_file(draft.path(part_files.tweets.name)))


def _parts(version: Version) -> dict[str | None, PartFiles]:
    """Checks and returns the files of each raw part in an ingested artifact; test_tweets has several parts, by name."""
    if version.manifest.artifact != "test_tweets":
        return {None: PartFiles(version.path(TWEETS), version.path(REJECTS))}
    return {
        part: PartFiles(version.path(f"{part}.parquet"), version.path(f"{part}.{REJECTS}"))
        for part in SeveralPartsFacts.read(version.manifest).parts
    }


def _write_part(
    settings: Settings,
    deleted: DeletedRows,
    manifest: Manifest,
    part: str | None,
    files: PartFiles,
    hits: Hits,
    draft: Draft,
) -> None:
    """Writes one raw part's files, without the `hits`, and its facts into the draft."""
    output = PartFiles(draft.path(files.tweets.name), draft.path(files.rejects.name))
    if not hits.lines:
        share(files.tweets, output.tweets)
        share(files.rejects, output.rejects)
        return
    tally = deleted.remove(files, hits, output)
    before = facts_by_part(manifest)[part or ""]
    facts = summarise(
        output.tweets,
        RowSummary.of_file(output.tweets),
        tally,
        settings,
        lines=before.lines,
        blank=before.blank,
        forgotten=before.forgotten + hits.lines,
        forgotten_rows=before.forgotten_rows + len(hits.rows),
        labelled=part is None,
    ).facts()
    if part is None:
        draft.rows = facts.rows
        draft.record(facts)
    else:
        parts = {**SeveralPartsFacts.model_validate(draft.facts).parts, part: facts}
        draft.rows = sum(one.rows for one in parts.values())
        draft.record(facts_of_parts(parts))


def raw_files(store: ArtifactStore) -> dict[str, int]:
    """Returns how many deleted lines each raw file still holds, by path, for the files of ingested artifacts."""
    found: dict[str, int] = {}
    for name in INGESTED:
        for key in store.keys_on_disk(name):
            with suppress(UserError):  # forget_rows reports a damaged manifest
                if manifest := store.manifest(name, key):
                    found |= _forgotten_of(store.root, manifest)
    return found


def _forgotten_of(root: Path, manifest: Manifest) -> dict[str, int]:
    """Returns the deleted lines of each raw file that is there still. Objects are not looked for: where their store
    is, the manifest does not say. Their folder is a URI as it is shown, which is not to be parsed again."""
    found = {}
    for source, facts in zip(manifest.sources, facts_by_part(manifest).values(), strict=True):
        path = root / source.folder / source.name
        if facts.forgotten and is_uri(source.folder):
            found[f"{source.folder}/{source.name}"] = facts.forgotten
        elif facts.forgotten and path.exists():
            found[str(path.resolve())] = facts.forgotten
    return found
