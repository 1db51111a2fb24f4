"""What predicting says of rows that are unlike those the model was trained on."""

import logging
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.interactions.drift.profile import LANGUAGE, MOST_VALUES, OTHERS, read_profile, write_profile
from engage_pipeline.interactions.drift.stability import COMPARABLE_FEATURES
from engage_pipeline.settings.settings import Settings, load_settings
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.submission.predict import predict
from engage_pipeline.submission.seen_rows import SAMPLE_ROWS, SeenRows
from engage_pipeline_tests.samples import feature_table, tiny_settings

FIELDS = {name: place for place, name in enumerate(schema.COLUMN_NAMES)}


@pytest.fixture(scope="module")
def settings(own_world: Path) -> Settings:
    return load_settings(own_world / "config.yaml")


def rewritten(source: Path, target: Path, **values: str) -> Path:
    """The raw part without labels, with the same values in every line."""
    lines = []
    for line in source.read_text(encoding="utf-8").splitlines():
        fields = line.split(schema.FIELD_SEPARATOR)[: schema.N_TEST_COLUMNS]
        for name, value in values.items():
            fields[FIELDS[name]] = value
        lines.append(schema.FIELD_SEPARATOR.join(fields))
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return target


def test_the_bundle_says_what_all_training_rows_are_like(settings: Settings) -> None:
    store = ArtifactStore(settings)
    for name in ("candidate_model", "trained_model"):
        profile = read_profile(store.open(name).path("training_profile.parquet"))
        languages: Counter[str] = Counter()
        for part in store.parts():
            languages.update(
                pq.read_table(store.open("tweet_parts", part).path("tweets.parquet"))[LANGUAGE].to_pylist()
            )
        assert profile[LANGUAGE] == languages
        assert set(profile) == set(COMPARABLE_FEATURES)


def test_rows_like_those_of_training_are_not_warned_of(settings: Settings, tmp_path: Path) -> None:
    part = rewritten(settings.recsys_data / "part-00000", tmp_path / "part-00000")
    assert predict([part], tmp_path / "results.csv", settings, threads=1).warnings == ()


@pytest.mark.parametrize("processes", [1, 2])
def test_every_difference_is_one_line(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture, processes: int
) -> None:
    source = settings.recsys_data / "part-00000"
    for number in range(2):
        rewritten(
            source, tmp_path / f"part-0000{number}", language="F" * 32, engaging_user_id="E" * 32, tweet_timestamp="0"
        )
    rows = 2 * len(source.read_bytes().splitlines())
    inputs = [tmp_path / "part-00000", tmp_path / "part-00001"]
    with caplog.at_level(logging.WARNING, "engage_pipeline"):
        report = predict(inputs, tmp_path / "results.csv", settings, threads=1, processes=processes)
    language, drift, viewers = report.warnings
    assert language == f"{rows:,} of {rows:,} rows are in languages of no training row: {'F' * 32} ({rows:,} rows)"
    assert drift.startswith("the rows are unlike the training rows: population stability index of ")
    worst = drift.removeprefix("the rows are unlike the training rows: population stability index of ").split(", ")
    assert {name.split()[0] for name in worst} == {
        f"{user}_account_age_days" for user in ("engaged_with_user", "engaging_user")
    } | {"language"}
    assert drift.endswith(" and 1 more feature (checks.drift_psi = 0.25)")  # the hour
    assert viewers == f"{rows:,} of {rows:,} rows are of viewers that no labelled row has (checks.new_user_share = 0.5)"
    assert [record.getMessage() for record in caplog.records] == [f"warning: {line}" for line in report.warnings]


def test_a_part_is_told_from_its_rows_all_the_same(tmp_path: Path) -> None:
    """Batches give the profile of the whole where nothing is left out, and nothing depends on how they are cut."""
    table = feature_table(SAMPLE_ROWS, 3)
    pq.write_table(table, tmp_path / "features.parquet")
    write_profile(tmp_path / "features.parquet", tmp_path / "profile.parquet", tiny_settings(tmp_path))
    whole = read_profile(tmp_path / "profile.parquet")
    seen, other = SeenRows(), SeenRows()
    for start in range(0, SAMPLE_ROWS, 100):
        (seen if start < 700 else other).add(table.slice(start, 100))
    seen.merge(other)
    assert seen.rows == SAMPLE_ROWS
    assert seen.languages == whole[LANGUAGE]
    for name in COMPARABLE_FEATURES[:-1]:
        assert {cell: rows for cell, rows in seen.bins[name].items() if rows} == whole[name]
    names = ("viewer_exposures", "valid_viewer_exposures")
    first, second = (np.array(table[name].to_pylist()) for name in names)
    assert seen.new["viewer"] == sum(1 for a, b in zip(first, second, strict=True) if not a and not b)


def test_memory_is_bounded_whatever_the_languages(tmp_path: Path) -> None:
    table = feature_table(MOST_VALUES + 500, 3)
    place = table.schema.get_field_index(LANGUAGE)
    names = pa.array([f"language {number}" for number in range(table.num_rows)])
    seen = SeenRows()
    seen.add(table.set_column(place, LANGUAGE, names))
    assert len(seen.languages) == MOST_VALUES + 1
    assert seen.languages[OTHERS] == 500


def test_users_are_not_called_new_where_nobody_is_counted(settings: Settings) -> None:
    table = feature_table(50, 3)
    for name in ("viewer_exposures", "valid_viewer_exposures", "author_exposures", "valid_author_exposures"):
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(np.zeros(50, np.int32)))
    seen = SeenRows()
    seen.add(table)
    lines = seen.differences(None, settings)
    assert [line.split(" are of ")[1].split()[0] for line in lines] == ["authors", "viewers"]
    families = tuple(name for name in settings.features.families if name != "viewer_counters")
    features = settings.features.model_copy(update={"families": families})
    (line,) = seen.differences(None, settings.model_copy(update={"features": features}))
    assert "authors" in line
    assert SeenRows().differences(None, settings) == []
