"""Every portable .sql file gives the same values on DuckDB and on Spark."""

import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.interactions.graphs.similarity import similar_authors
from engage_pipeline.language.tweets import distinct_tweets, tweets_with_language
from engage_pipeline.settings.settings import Settings
from engage_pipeline_tests.engines.spark.helpers import spark_settings
from engage_pipeline_tests.engines.spark.statements import portable_statements
from engage_pipeline_tests.engines.spark.twin import Twin
from engage_pipeline_tests.interactions.typed_parts import Row, engagement_day, read_part, write_typed
from engage_pipeline_tests.samples import GOLDEN

pytestmark = pytest.mark.long

ROWS = 250
TIMES = (0, -1, 1, 2**37, -(2**35), 951_782_399, 951_782_400)
"""Of tweets: around the epoch, far away, around the 29th of February 2000."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("both")


@pytest.fixture(scope="module")
def settings(folder: Path) -> Settings:
    return spark_settings(folder)


@pytest.fixture(scope="module")
def both(folder: Path, settings: Settings) -> Iterator[None]:
    """Whoever opens DuckDB gets both engines."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engage_pipeline.engines.duckdb.DuckDBEngine", Twin)
        yield


def some_rows(part: str) -> list[Row]:
    """The first rows of a golden part, every value missing at times, some texts and times unusual."""
    rng = random.Random(part)
    rows = read_part(GOLDEN / part)[:ROWS]
    for row in rows:
        for column in schema.COLUMNS:
            if rng.random() < 0.08:
                row[column.name] = [] if column.kind in {schema.Kind.TOKENS, schema.Kind.STRINGS} else None
        if rng.random() < 0.1:
            row["tweet_timestamp"] = rng.choice(TIMES)
        if rng.random() < 0.1:
            row["language"] = rng.choice(["", "Ä", "ä", "\U0001f600", "z"])
        if rng.random() < 0.1:
            row["hashtags"] = [*row["hashtags"], "x", "x", ""]
        row[schema.ENGAGEMENT_DAY] = engagement_day(row)
    return rows


@pytest.fixture(scope="module")
def training(folder: Path) -> Path:
    return write_typed(some_rows("train/part-00000.gz"), folder / "training.parquet")


def duckdb(settings: Settings) -> Settings:
    """The settings under which open_engine opens what stands in for DuckDB."""
    return settings.model_copy(update={"engine": settings.engine.model_copy(update={"kind": "duckdb"})})


def test_followers(both: None, folder: Path, training: Path, settings: Settings) -> None:
    output = folder / "similar.parquet"
    facts = similar_authors([training], output, top_n=10, threshold=0.01, settings=duckdb(settings))
    assert facts["edges"] > 0


def test_texts(both: None, training: Path, settings: Settings) -> None:
    tweets = [training, training]
    assert distinct_tweets(tweets, max_tweets=40, settings=duckdb(settings)).num_rows == 40
    assert tweets_with_language(tweets, max_tweets=None, settings=duckdb(settings)).num_rows > 40


def test_ingest(both: None, folder: Path, training: Path, settings: Settings) -> None:
    rows = pq.read_table(training)
    ids = {
        "deleted_tweet_ids": rows["tweet_id"].drop_null()[:9],
        "deleted_user_ids": rows["engaging_user_id"].drop_null()[5:20],
    }
    lines = pa.table({"line_number": pa.array([5, 3, 3, 9]), "id": [*ids["deleted_user_ids"][:3].to_pylist(), "none"]})
    pq.write_table(lines, folder / "candidates.parquet")
    with Twin(settings) as twin:
        twin.read("tweets", [training])
        twin.read("candidates", [folder / "candidates.parquet"])
        for name, values in ids.items():
            pq.write_table(pa.table({"id": values}), folder / f"{name}.parquet")
            twin.read(name, [folder / f"{name}.parquet"])
        deletions = [f"deletions/{name}" for name in ("deleted_tweets", "deleted_candidates")]
        for name in ("label_counts", *deletions):
            assert twin.fetch(f"ingest/{name}.sql").num_rows, name
        assert twin.fetch("ingest/unknown_media.sql", {"known": ["Photo"]}).num_rows
        assert twin.fetch("ingest/unknown_tweet_types.sql", {"known": ["Quote", "Reply"]}).num_rows


def test_profile(both: None, training: Path, settings: Settings) -> None:
    with Twin(settings) as twin:
        twin.read("features", [training])
        assert twin.fetch("interactions/language_rows.sql").num_rows


@pytest.mark.last
def test_no_statement_of_the_package_is_left_out() -> None:
    """What the tests above compared is every .sql file but those that speak DuckDB."""
    assert sorted(Twin.compared) == portable_statements()
