"""One row at a time on a finished world: the features of test_features, the probabilities of results.csv."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.ingest.parsing.single_line import read_line
from engage_pipeline.interactions.features.rows import FeatureFile
from engage_pipeline.interactions.features.single_row import RowFeatures
from engage_pipeline.interactions.features.writing import write_features
from engage_pipeline.settings.families import FAMILY_NAMES
from engage_pipeline.settings.settings import Settings, load_settings
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.submission.predictor import Predictor
from engage_pipeline.submission.published import open_published
from engage_pipeline_tests.token_lists import with_token_values

BORN_LATER = "engaging_user_account_creation"


@pytest.fixture(scope="module")
def settings(own_world: Path) -> Settings:
    return load_settings(own_world / "config.yaml")


@pytest.fixture(scope="module")
def lines(finished_world: Path) -> list[bytes]:
    return (finished_world / "raw" / "test" / "part-00000").read_bytes().splitlines(keepends=True)


@pytest.fixture(scope="module")
def predictor(settings: Settings) -> Iterator[Predictor]:
    yield Predictor.open(settings, threads=1)


def with_line_number(table: pa.Table, number: int) -> dict:
    return table.to_pylist()[0] | {schema.LINE_NUMBER: number}


def test_features_of_a_row_are_those_of_its_part(predictor: Predictor, settings: Settings, lines: list[bytes]) -> None:
    expected = FeatureFile(ArtifactStore(settings).open("test_features").path("part-00000.parquet")).read()
    tables = [predictor.features.of(read_line(line)).table() for line in lines]
    assert tables[0].schema == expected.schema.remove_metadata()
    assert [with_line_number(table, row) for row, table in enumerate(tables)] == expected.to_pylist()
    for name in ("pair_like", "hashtag_like", "similar_jaccard_sum", "valid_tweet_negative", "valid_reverse_pair_like"):
        assert any(table[name][0].as_py() for table in tables), name


def test_probabilities_are_those_of_the_batch(predictor: Predictor, settings: Settings, lines: list[bytes]) -> None:
    features = FeatureFile(ArtifactStore(settings).open("test_features").path("part-00000.parquet")).read()
    expected = predictor.model.probabilities(features.slice(0, 100))
    found = np.stack([predictor.predict(line) for line in lines[:100]])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)  # bfloat16, where the processor is fast at it
    assert not list(settings.working_dir.glob(".predict-*"))


def test_many_rows_are_scored_together_as_each_alone(
    predictor: Predictor, lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = np.stack([predictor.predict(line) for line in lines[:7]])
    monkeypatch.setattr("engage_pipeline.submission.predictor.BATCH_ROWS", 3)
    np.testing.assert_allclose(predictor.predict_many(lines[:7]), alone, rtol=0, atol=1e-3)
    assert predictor.predict_many([]).shape == (0, 4)


def test_a_wrong_argument_is_named(predictor: Predictor, settings: Settings, lines: list[bytes]) -> None:
    with pytest.raises(UserError, match=r"^row 1 is rejected: columns: 1 instead of 20$"):
        predictor.predict_many([lines[0], b"a", lines[1]])
    with pytest.raises(TypeError, match=r"^a row must be a line as bytes, or values by column, not str$"):
        predictor.predict(lines[0].decode())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^row 0 must be a line as bytes, or values by column, not int$"):
        predictor.predict_many(lines[0])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^threads: at least 1 is needed, not 0$"):
        Predictor.open(settings, threads=0)


def test_a_predictor_shows_the_version_of_its_model(predictor: Predictor, settings: Settings) -> None:
    version = ArtifactStore(settings).open("trained_model").manifest.version
    assert repr(predictor) == f"Predictor(version={version!r})"


def test_an_explanation_adds_up_to_the_prediction(predictor: Predictor, lines: list[bytes]) -> None:
    found = predictor.explain(lines[0])
    assert [one.probability for one in found.engagements] == pytest.approx(predictor.predict(lines[0]), abs=1e-3)
    for one in found.engagements:
        assert one.baseline + sum(one.contributions.values()) == pytest.approx(one.logit, abs=0.02)


def test_labels_are_not_seen(predictor: Predictor, lines: list[bytes]) -> None:
    liked = lines[0].rstrip(b"\n") + b"\x01\x01\x01\x011613000000\n"
    assert predictor.predict(liked).tolist() == predictor.predict(lines[0]).tolist()


def test_a_row_of_which_everything_is_missing_is_that_of_the_join(
    predictor: Predictor, settings: Settings, tmp_path: Path
) -> None:
    lists = (schema.Kind.TOKENS, schema.Kind.STRINGS)
    empty = {column.name: [] if column.kind in lists else None for column in schema.COLUMNS[: schema.N_TEST_COLUMNS]}
    odd = empty | {"tweet_timestamp": -1, BORN_LATER: 100_000, "hashtags": ["x", "x"], "engaging_user_id": "nobody"}
    rows = [
        with_token_values({schema.LINE_NUMBER: place, schema.ENGAGEMENT_DAY: place - 1, **row})
        for place, row in enumerate([odd, empty])
    ]
    tweets, output = tmp_path / "tweets.parquet", tmp_path / "features.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=schema.tweet_schema(labelled=False)), tweets)
    counts = open_published(ArtifactStore(settings), 1).counts
    write_features(tweets, output, kind="test", settings=settings, **counts)
    found = [with_line_number(predictor.features.of(row).table(), place) for place, row in enumerate([odd, empty])]
    assert found == FeatureFile(output).read().to_pylist()


def test_families_that_are_off_are_zeros(settings: Settings, lines: list[bytes]) -> None:
    kept = [name for name in FAMILY_NAMES if name.endswith("_effects") or name == "author_counters"]
    features = settings.features.model_copy(update={"families": tuple(kept)})
    counts = open_published(ArtifactStore(settings), 1).counts
    rows = RowFeatures(settings.model_copy(update={"features": features}), **counts)
    names = [*schema.INTERACTION_FEATURES, *schema.EXPOSURE_FEATURES]
    tables = [rows.of(read_line(line)).table() for line in lines[:100]]
    told = {name for table in tables for name in names if table[name][0].as_py()}
    assert told
    assert all(name.startswith(("author_", "valid_author_")) for name in told)


@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        ("tweet_timestamp", "1.5", "tweet_timestamp: '1.5' is no integer of 64 bits"),
        ("tweet_timestamp", str(2**63), "tweet_timestamp"),
        ("engagee_follows_engager", "yes", "engagee_follows_engager: 'yes' is neither true nor false"),
        ("text_tokens", "101\t119547\t102", "text_tokens"),
        ("language", "a\x01b", "columns: 21 instead of 20"),
        ("language", "a\rb", "line break"),
        ("language", "a\0b", "NUL byte"),
        ("tweet_timestamp", str(2**31 * 86_400), "tweet_timestamp: 185542587187200 is beyond 32 bits of days"),
        ("tweet_timestamp", str(-(2**31) * 86_400 - 1), "tweet_timestamp: -185542587187201 is beyond 32 bits of days"),
        ("language", "\udcff", "not UTF-8"),
    ],
)
def test_a_row_that_would_be_rejected_is_named(column: str, text: str, reason: str, lines: list[bytes]) -> None:
    fields = lines[0].decode().rstrip("\n").split(schema.FIELD_SEPARATOR)
    fields[schema.COLUMN_NAMES.index(column)] = text
    with pytest.raises(UserError, match=reason):
        read_line(schema.FIELD_SEPARATOR.join(fields).encode(errors="surrogateescape"))
