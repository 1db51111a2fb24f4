"""Assets of the ingest stage: raw parts become typed Parquet with a table of rejected lines."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from engage_pipeline import plots, schema
from engage_pipeline.ingest.drafts import IngestInput, ingest_input, write_test, write_validation
from engage_pipeline.ingest.facts import PartFacts
from engage_pipeline.ingest.part_publishing import publish_parts
from engage_pipeline.ingest.side_files import label_counts
from engage_pipeline.orchestration.assets.definition import pipeline_asset
from engage_pipeline.orchestration.assets.materializing import Shown
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.file_names import TWEETS
from engage_pipeline.store.manifests import Manifest
from engage_pipeline.store.measured import PartResult
from engage_pipeline.store.store import ArtifactStore, Draft


def _show_part(store: ArtifactStore, manifest: Manifest) -> Shown:
    version = store.version(manifest)
    return _plots(version.path(TWEETS), PartFacts.read(manifest).reasons, store.settings)


def _plots(tweets: Path, reasons: Mapping[str, int], settings: Settings) -> Shown:
    """Plots label rates by day, and the reasons of rejected lines if there are any."""
    rejected = {"rejected lines": plots.rejected_reasons(reasons)} if reasons else {}
    return {"label rates": plots.label_rates_by_day(label_counts(tweets, settings)), **rejected}


@pipeline_asset(kinds={"duckdb", "parquet"}, schema=schema.tweet_schema(labelled=True), show=_show_part)
def tweet_parts(store: ArtifactStore, keys: Sequence[str]) -> dict[str, PartResult]:
    """Typed tweets of one raw training part, sorted by tweet, and its rejected lines with file, line, reason and raw
    bytes. Good rows, rejected lines and blank lines add up to the lines of the file."""
    return publish_parts(store, keys)


_VALIDATION = schema.tweet_schema(labelled=True, validation=True)


@pipeline_asset(kinds={"duckdb", "parquet"}, schema=_VALIDATION, prepare=ingest_input)
def validation_tweets(store: ArtifactStore, draft: Draft, found: IngestInput) -> Shown:
    """Typed tweets of the validation part, each a holdout row or a row of one of the fine-tuning chunks."""
    report = write_validation(store, draft, found)
    return _plots(draft.path(TWEETS), report.reasons, store.settings)


@pipeline_asset(kinds={"duckdb", "parquet"}, schema=schema.tweet_schema(labelled=False), prepare=ingest_input)
def test_tweets(store: ArtifactStore, draft: Draft, found: IngestInput) -> None:
    """Typed tweets of the test parts in the order of their lines, a file a part; labels never come in."""
    write_test(store, draft, found)
