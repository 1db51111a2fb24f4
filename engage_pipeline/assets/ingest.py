"""Assets of the ingest stage: raw parts become typed Parquet with a table of what was rejected."""

from dataclasses import asdict
from functools import partial
from typing import Any

import dagster as dg
import numpy as np

from engage_pipeline import plots, schema
from engage_pipeline.artifacts import Draft
from engage_pipeline.assets.definition import pipeline_asset
from engage_pipeline.assets.making import Shown, make_one, make_parts, making, published, user_errors
from engage_pipeline.errors import UserError
from engage_pipeline.footers import require_schema
from engage_pipeline.ingest.parts import part_name
from engage_pipeline.ingest.reading import ingest_part
from engage_pipeline.ingest.report import IngestReport
from engage_pipeline.ingest.side_files import write_side_files
from engage_pipeline.ingest.split import validation_split
from engage_pipeline.manifests import Manifest
from engage_pipeline.plan import raw_sources
from engage_pipeline.resources import Pipeline


def _facts(report: IngestReport) -> dict[str, Any]:
    """The report as figures for people: days as dates."""
    days = [str(np.datetime64(day, "D")) for day in report.days]
    return {**asdict(report), "days": " to ".join(days)}


@pipeline_asset(kinds={"duckdb", "parquet"}, schema=schema.tweet_schema(labelled=True))
def tweet_parts(context: dg.AssetExecutionContext, pipeline: Pipeline) -> dg.MaterializeResult:
    """Typed tweets of one raw training part, sorted by tweet, and its rejected lines with file, line, reason and raw
    bytes. Good rows, rejected lines and blank lines add up to the lines of the file."""
    with user_errors():
        store = pipeline.store()

    def make(key: str) -> Manifest:
        sources = raw_sources(store.settings, "tweet_parts", key)
        if not sources:
            raise UserError(f"{store.settings.recsys_data}: no part {key} among the parts that the settings ask for")
        with making(store, "tweet_parts", key, sources) as draft:
            report = ingest_part(
                sources[0],
                tweets=draft.path("tweets.parquet"),
                rejects=draft.path("rejects.parquet"),
                settings=store.settings,
                labelled=True,
                order="tweet",
            )
            require_schema(draft.path("tweets.parquet"), schema.tweet_schema(labelled=True))
            write_side_files(draft.path("tweets.parquet"), draft.directory, store.settings)
            draft.rows = report.rows
            draft.facts |= _facts(report)
        return published(draft)

    return make_parts(context, "tweet_parts", make)


@pipeline_asset(kinds={"duckdb", "parquet"}, schema=schema.tweet_schema(labelled=True))
def validation_tweets(pipeline: Pipeline) -> dg.MaterializeResult:
    """Typed tweets of the validation part, each a holdout row or a row of one of the fine-tuning chunks."""
    with user_errors():
        store = pipeline.store()
        (source,) = raw_sources(store.settings, "validation_tweets")

    def make(draft: Draft) -> Shown:
        settings = store.settings
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
        )
        require_schema(draft.path("tweets.parquet"), schema.tweet_schema(labelled=True, validation=True))
        write_side_files(draft.path("tweets.parquet"), draft.directory, settings)
        draft.rows = report.rows
        draft.facts |= _facts(report)
        return {"rejected lines": plots.rejected_reasons(report.reasons)} if report.reasons else {}

    return make_one(store, "validation_tweets", make, [source])


@pipeline_asset(kinds={"duckdb", "parquet"}, schema=schema.tweet_schema(labelled=False))
def test_tweets(pipeline: Pipeline) -> dg.MaterializeResult:
    """Typed tweets of the test parts in the order of their lines, a file a part; labels never come in."""
    with user_errors():
        store = pipeline.store()
        sources = raw_sources(store.settings, "test_tweets")

    def make(draft: Draft) -> None:
        reports = {}
        for source in sources:
            part = part_name(source)
            reports[part] = ingest_part(
                source,
                tweets=draft.path(f"{part}.parquet"),
                rejects=draft.path(f"{part}.rejects.parquet"),
                settings=store.settings,
                labelled=False,
                order="line",
            )
            require_schema(draft.path(f"{part}.parquet"), schema.tweet_schema(labelled=False))
        draft.rows = sum(report.rows for report in reports.values())
        draft.facts["rejected"] = sum(report.rejected for report in reports.values())
        draft.facts["parts"] = {part: _facts(report) for part, report in reports.items()}

    return make_one(store, "test_tweets", make, sources)
