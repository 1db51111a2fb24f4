"""Fills drafts of ingested artifacts: the files of their raw parts, and facts about them.

What does not belong here: reading a part (part_ingest), and publishing parts (part_publishing).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from engage_pipeline import schema
from engage_pipeline.files.atomic import Identity, identity
from engage_pipeline.files.parquet import require_schema
from engage_pipeline.files.raw_parts import part_name
from engage_pipeline.ingest.deletions.forgetting import enter_replaced
from engage_pipeline.ingest.deletions.lists import Deletions, read_deletions
from engage_pipeline.ingest.facts import IngestedFacts
from engage_pipeline.ingest.part_ingest import ingest_part
from engage_pipeline.ingest.rejected_part import kept_rejects
from engage_pipeline.ingest.report import IngestReport, change_of_rows, facts_of_parts
from engage_pipeline.ingest.side_files import SAMPLE, SideFiles
from engage_pipeline.ingest.validation_split import validation_split
from engage_pipeline.locations.location import Location
from engage_pipeline.store.file_names import REJECTS, TWEETS
from engage_pipeline.store.plan import raw_sources
from engage_pipeline.store.store import ArtifactStore, Draft


@dataclass(frozen=True)
class IngestInput:
    """The raw files of an artifact, with their identities before reading, and the lists of deletions."""

    files: Mapping[Location, Identity]
    deletions: Deletions


def ingest_input(store: ArtifactStore, name: str) -> IngestInput:
    """Returns the input of validation_tweets or test_tweets; call it before the draft is opened.

    Raises UserError if a raw file is missing, or if a list of deletions can't be read.
    """
    sources = raw_sources(store.settings, name)
    deletions = read_deletions(store.settings.deletions, follow_links=store.settings.follow_links)
    return IngestInput({source: identity(source) for source in sources}, deletions)


def write_validation(store: ArtifactStore, draft: Draft, found: IngestInput) -> IngestReport:
    """Fills a draft of validation_tweets: `tweets.parquet` with SPLIT, `rejects.parquet` and the side files."""
    enter_replaced(store, "validation_tweets", None, found.deletions)
    split = partial(
        validation_split,
        seed=store.settings.seed,
        holdout_share=store.settings.validation_percentage,
        chunks=store.settings.num_validation_chunks,
    )
    ((source, since),) = found.files.items()
    return write_labelled(store, "validation_tweets", None, draft, source, since, found.deletions, split)


def write_labelled(
    store: ArtifactStore,
    name: str,
    key: str | None,
    draft: Draft,
    source: Location,
    since: Identity,
    deletions: Deletions,
    split: Callable[[int], npt.NDArray[np.int32]] | None = None,
) -> IngestReport:
    """Fills a draft with one labelled raw part: `tweets.parquet`, `rejects.parquet` and the side files.

    `since` is the identity of the file `source` before reading; `split` returns the values of SPLIT, if there are any.
    Raises UserError in the same cases as ingest_part.
    """
    tweets = draft.path(TWEETS)
    report = ingest_part(
        source,
        tweets=tweets,
        rejects=draft.path(REJECTS),
        settings=store.settings,
        labelled=True,
        order="day",
        split=split,
        deletions=deletions,
        side_files=SideFiles.within(draft.directory),
        kept=kept_rejects(store.folder(name, key)),
        since=since,
    )
    require_schema(tweets, schema.tweet_schema(labelled=True, validation=split is not None))
    draft.record(report.facts(), rows=report.rows)
    _record_changes(store, name, key, draft, deletions, [report])
    return report


def write_test(store: ArtifactStore, draft: Draft, found: IngestInput) -> None:
    """Fills a draft of test_tweets: for each part `<part>.parquet`, `<part>.rejects.parquet` and its sample."""
    enter_replaced(store, "test_tweets", None, found.deletions)
    reports = {part_name(source): _write_test_part(store, draft, source, found) for source in found.files}
    facts = facts_of_parts({part: report.facts() for part, report in reports.items()})
    draft.record(facts, rows=sum(report.rows for report in reports.values()))
    _record_changes(store, "test_tweets", None, draft, found.deletions, list(reports.values()))


def _write_test_part(store: ArtifactStore, draft: Draft, source: Location, found: IngestInput) -> IngestReport:
    part = part_name(source)
    tweets = draft.path(f"{part}.parquet")
    report = ingest_part(
        source,
        tweets=tweets,
        rejects=draft.path(f"{part}.{REJECTS}"),
        settings=store.settings,
        labelled=False,
        order="line",
        deletions=found.deletions,
        side_files=SideFiles(draft.path(f"{part}.{SAMPLE}")),
        kept=kept_rejects(store.folder("test_tweets")),
        since=found.files[source],
    )
    require_schema(tweets, schema.tweet_schema(labelled=False))
    return report


def _record_changes(
    store: ArtifactStore,
    name: str,
    key: str | None,
    draft: Draft,
    deletions: Deletions,
    reports: list[IngestReport],
) -> None:
    """Records which lists of deletions were applied, and how the rows differ from those of the published version."""
    current = store.current(name, key)
    rows, forgotten = sum(report.rows for report in reports), sum(report.forgotten_rows for report in reports)
    draft.record(IngestedFacts(deletions=deletions.digest))
    draft.record(change_of_rows(current.manifest if current else None, rows, forgotten))
