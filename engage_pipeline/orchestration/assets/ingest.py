"""Assets of the ingest stage: raw parts become typed Parquet with a table of what was rejected."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import dagster as dg

from engage_pipeline import plots, schema
from engage_pipeline.files.atomic import identity
from engage_pipeline.files.parquet import require_schema
from engage_pipeline.files.raw_parts import part_name
from engage_pipeline.ingest.deletions.forgetting import enter_replaced
from engage_pipeline.ingest.deletions.lists import read_deletions
from engage_pipeline.ingest.facts import IngestedFacts, PartFacts
from engage_pipeline.ingest.part_ingest import ingest_part
from engage_pipeline.ingest.part_publishing import change, part_publisher
from engage_pipeline.ingest.rejected_part import kept_rejects
from engage_pipeline.ingest.report import facts_of_parts
from engage_pipeline.ingest.side_files import SAMPLE, label_counts, write_side_files, write_test_sample
from engage_pipeline.ingest.validation_split import validation_split
from engage_pipeline.orchestration.assets.definition import pipeline_asset
from engage_pipeline.orchestration.assets.materializing import Shown, make_one, make_parts, parts_of_run, user_errors
from engage_pipeline.orchestration.dead_runs import mark_run
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.manifests import Manifest
from engage_pipeline.store.plan import raw_sources
from engage_pipeline.store.store import Draft
from engage_pipeline.store.versions import Version


@pipeline_asset(kinds={"duckdb", "parquet"}, schema=schema.tweet_schema(labelled=True))
def tweet_parts(context: dg.AssetExecutionContext, pipeline: Pipeline) -> dg.MaterializeResult:
    """Typed tweets of one raw training part, sorted by tweet, and its rejected lines with file, line, reason and raw
    bytes. Good rows, rejected lines and blank lines add up to the lines of the file."""
    with user_errors():
        store = pipeline.store()
        # Before the first part is asked for: on Spark all of them are read here.
        mark_run(context.instance, context.run)
        parts = parts_of_run(context, store)
        make = part_publisher(store, parts.keys)

    def show(manifest: Manifest) -> Shown:
        version = Version(store.folder("tweet_parts", manifest.key), manifest)
        return _plots(version.path("tweets.parquet"), PartFacts.read(version.manifest).reasons, store.settings)

    return make_parts(context, "tweet_parts", parts, make, show)


def _plots(tweets: Path, reasons: Mapping[str, int], settings: Settings) -> Shown:
    """Label rates by day, and why lines were rejected where any were."""
    rejected = {"rejected lines": plots.rejected_reasons(reasons)} if reasons else {}
    return {"label rates": plots.label_rates_by_day(label_counts(tweets, settings)), **rejected}


@pipeline_asset(kinds={"duckdb", "parquet"}, schema=schema.tweet_schema(labelled=True, validation=True))
def validation_tweets(pipeline: Pipeline) -> dg.MaterializeResult:
    """Typed tweets of the validation part, each a holdout row or a row of one of the fine-tuning chunks."""
    with user_errors():
        store = pipeline.store()
        (source,) = raw_sources(store.settings, "validation_tweets")
        deletions = read_deletions(store.settings.deletions, follow_links=store.settings.follow_links)
        since = identity(source)

    def make(draft: Draft) -> Shown:
        settings = store.settings
        enter_replaced(store, "validation_tweets", None, deletions)
        report = ingest_part(
            source,
            tweets=draft.path("tweets.parquet"),
            rejects=draft.path("rejects.parquet"),
            settings=settings,
            labelled=True,
            order="tweet",
            split=partial(
                validation_split,
                seed=settings.seed,
                holdout_share=settings.validation_percentage,
                chunks=settings.num_validation_chunks,
            ),
            deletions=deletions,
            kept=kept_rejects(store.folder("validation_tweets")),
            since=since,
        )
        require_schema(draft.path("tweets.parquet"), schema.tweet_schema(labelled=True, validation=True))
        write_side_files(draft.path("tweets.parquet"), draft.directory, settings)
        draft.rows = report.rows
        draft.record(report.facts())
        draft.record(IngestedFacts(deletions=deletions.digest))
        draft.record(change(store, "validation_tweets", None, report))
        return _plots(draft.path("tweets.parquet"), report.reasons, settings)

    return make_one(store, "validation_tweets", make, [source])


@pipeline_asset(kinds={"duckdb", "parquet"}, schema=schema.tweet_schema(labelled=False))
def test_tweets(pipeline: Pipeline) -> dg.MaterializeResult:
    """Typed tweets of the test parts in the order of their lines, a file a part; labels never come in."""
    with user_errors():
        store = pipeline.store()
        sources = raw_sources(store.settings, "test_tweets")
        deletions = read_deletions(store.settings.deletions, follow_links=store.settings.follow_links)
        since = {source: identity(source) for source in sources}

    def make(draft: Draft) -> None:
        reports = {}
        enter_replaced(store, "test_tweets", None, deletions)
        for source in sources:
            part = part_name(source)
            reports[part] = ingest_part(
                source,
                tweets=draft.path(f"{part}.parquet"),
                rejects=draft.path(f"{part}.rejects.parquet"),
                settings=store.settings,
                labelled=False,
                order="line",
                deletions=deletions,
                kept=kept_rejects(store.folder("test_tweets")),
                since=since[source],
            )
            require_schema(draft.path(f"{part}.parquet"), schema.tweet_schema(labelled=False))
            write_test_sample(draft.path(f"{part}.parquet"), draft.path(f"{part}.{SAMPLE}"), store.settings)
        draft.rows = sum(report.rows for report in reports.values())
        draft.record(facts_of_parts({part: report.facts() for part, report in reports.items()}))
        draft.record(IngestedFacts(deletions=deletions.digest))
        draft.record(change(store, "test_tweets", None, *reports.values()))

    return make_one(store, "test_tweets", make, sources)
