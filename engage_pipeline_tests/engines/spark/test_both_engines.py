"""Every portable .sql file gives the same values on DuckDB and on Spark."""

import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.interactions.counters.counting import (
    count_training,
    count_validation,
    number_exposures,
    numbers_of,
)
from engage_pipeline.interactions.features.writing import write_features
from engage_pipeline.interactions.graphs.exposure_matrix import ExposureMatrix
from engage_pipeline.interactions.graphs.similarity import similar_authors
from engage_pipeline.language.tweets import distinct_tweets, tweets_with_language
from engage_pipeline.settings.families import FAMILY_NAMES, VALIDATION, counted_keys
from engage_pipeline.settings.settings import Settings
from engage_pipeline_tests.engines.spark.helpers import spark_settings
from engage_pipeline_tests.engines.spark.statements import portable_statements
from engage_pipeline_tests.engines.spark.twin import Twin
from engage_pipeline_tests.interactions.typed_parts import Row, engagement_day, read_part, write_typed
from engage_pipeline_tests.samples import GOLDEN

pytestmark = [pytest.mark.slow, pytest.mark.long]

ROWS = 250
TIMES = (0, -1, 1, 2**37, -(2**35), 951_782_399, 951_782_400)
"""Of tweets: around the epoch, far away, around the 29th of February 2000."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("both")


@pytest.fixture(scope="module")
def settings(folder: Path) -> Settings:
    return spark_settings(folder, features={"families": list(FAMILY_NAMES)})


@pytest.fixture(scope="module")
def both(folder: Path, settings: Settings) -> Iterator[None]:
    """Whoever opens DuckDB gets both engines, and the windows are counted by them."""
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
def files(folder: Path) -> dict[str, Path]:
    rng = random.Random(1)
    validation = [row | {schema.SPLIT: rng.randint(schema.HOLDOUT, 2)} for row in some_rows("validation/part-00000.gz")]
    return {
        "training": write_typed(some_rows("train/part-00000.gz"), folder / "training.parquet"),
        "validation": write_typed(validation, folder / "validation.parquet"),
        "test": write_typed(some_rows("validation/part-00000.gz"), folder / "test.parquet", labelled=False),
    }


@pytest.fixture(scope="module")
def windows(both: None, folder: Path, files: dict[str, Path], settings: Settings) -> dict[str, Path]:
    """Counts of both windows and the similar authors."""
    made = {
        "training_counts": folder / "training_counts",
        "validation_counts": folder / "validation_counts",
        "similarity": folder / "similar.parquet",
    }
    made["training_counts"].mkdir()
    made["validation_counts"].mkdir()
    settings = duckdb(settings)
    count_training([files["training"]], made["training_counts"], settings)
    count_validation([files["validation"]], made["validation_counts"], settings)
    facts = similar_authors([files["training"]], made["similarity"], top_n=10, threshold=0.01, settings=settings)
    assert facts["edges"] > 0
    return made


def duckdb(settings: Settings) -> Settings:
    """The settings under which open_engine opens what stands in for DuckDB."""
    return settings.model_copy(update={"engine": settings.engine.model_copy(update={"kind": "duckdb"})})


def test_features(windows: dict[str, Path], folder: Path, files: dict[str, Path], settings: Settings) -> None:
    output = folder / "features.parquet"
    assert write_features(files["training"], output, kind="training", settings=duckdb(settings), **windows) == ROWS
    assert any(pq.read_table(output)["similar_jaccard_sum"].to_pylist())


def test_what_is_empty_or_of_another_kind(windows: dict[str, Path], files: dict[str, Path], settings: Settings) -> None:
    counts = windows["validation_counts"]
    with Twin(settings, readable=[counts]) as twin:
        for kind in ("validation", "test"):
            twin.read("source", [files[kind]])
            twin.view("tweets", f"interactions/kinds/{kind}.sql")
            twin.view("window_tweets", "interactions/windows/own_chunk.sql")
        for name in numbers_of(counted_keys(VALIDATION, settings.features.counters)):
            twin.read(name, [counts / f"{name}.parquet"])
        number_exposures(twin)
        twin.read("totals", [counts / "labelled_pair.parquet"])
        twin.define("no_folds", "interactions/no_folds.sql")


def test_pairs_of_communities(windows: dict[str, Path], folder: Path, settings: Settings) -> None:
    users = pq.read_metadata(windows["training_counts"] / "user_numbers.parquet").num_rows
    ExposureMatrix.write(windows["training_counts"], folder / "pairs.parquet", users, duckdb(settings))


def test_texts(both: None, files: dict[str, Path], settings: Settings) -> None:
    tweets = [files["training"], files["training"]]
    assert distinct_tweets(tweets, max_tweets=40, settings=duckdb(settings)).num_rows == 40
    assert tweets_with_language(tweets, max_tweets=None, settings=duckdb(settings)).num_rows > 40


def test_ingest(both: None, folder: Path, files: dict[str, Path], settings: Settings) -> None:
    rows = pq.read_table(files["training"])
    ids = {
        "deleted_tweet_ids": rows["tweet_id"].drop_null()[:9],
        "deleted_user_ids": rows["engaging_user_id"].drop_null()[5:20],
    }
    lines = pa.table({"line_number": pa.array([5, 3, 3, 9]), "id": [*ids["deleted_user_ids"][:3].to_pylist(), "none"]})
    pq.write_table(lines, folder / "candidates.parquet")
    with Twin(settings) as twin:
        twin.read("tweets", [files["training"]])
        twin.read("candidates", [folder / "candidates.parquet"])
        for name, values in ids.items():
            pq.write_table(pa.table({"id": values}), folder / f"{name}.parquet")
            twin.read(name, [folder / f"{name}.parquet"])
        deletions = [f"deletions/{name}" for name in ("deleted_tweets", "deleted_candidates")]
        for name in ("days", "label_counts", "duplicates", *deletions):
            assert twin.fetch(f"ingest/{name}.sql").num_rows, name
        assert twin.fetch("ingest/sample.sql", {"sample_rows": 7}).num_rows == 7
        assert twin.fetch("ingest/unknown_media.sql", {"known": ["Photo"]}).num_rows
        assert twin.fetch("ingest/unknown_tweet_types.sql", {"known": ["Quote", "Reply"]}).num_rows


def test_profile(both: None, files: dict[str, Path], settings: Settings) -> None:
    with Twin(settings) as twin:
        twin.read("features", [files["training"]])
        assert twin.fetch("interactions/language_rows.sql").num_rows


@pytest.mark.last
def test_no_statement_of_the_package_is_left_out() -> None:
    """What the tests above compared is every .sql file but those that speak DuckDB."""
    assert sorted(Twin.compared) == portable_statements()
