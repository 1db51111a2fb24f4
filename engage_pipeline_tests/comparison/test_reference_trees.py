"""The reference trees: their rows, and that they predict."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dagster import DagsterInstance

from engage_pipeline import schema
from engage_pipeline.catalogue import ancestry
from engage_pipeline.comparison import reference_rows
from engage_pipeline.comparison.reference_rows import REFERENCE_COLUMNS, matrix, read_training_rows
from engage_pipeline.comparison.reference_trees import READ_ARTIFACTS, train, write_results
from engage_pipeline.errors import UserError
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline.orchestration.running import run_pipeline
from engage_pipeline.settings.settings import load_settings
from engage_pipeline.submission.scoring.report import score_predictions
from engage_pipeline.synthetic import synthesize
from engage_pipeline_tests import worlds
from engage_pipeline_tests.samples import feature_table, tiny_settings


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Path], Path]:
    """Two training files and a validation file; a row is told by its number of author followers."""
    monkeypatch.setattr(reference_rows, "BATCH_ROWS", 128)
    paths = [tmp_path / f"{name}.parquet" for name in ("one", "two", "validation")]
    for place, (path, rows) in enumerate(zip(paths, (700, 900, 400), strict=True)):
        table = feature_table(rows, place, validation=path.stem == "validation")
        column = table.column_names.index("engaged_with_user_follower_count")
        names = pa.array(np.arange(rows) + 1000 * place, pa.int64())
        pq.write_table(table.set_column(column, table.field(column), names), path, row_group_size=300)
    return paths[:2], paths[2]


def told(rows: np.ndarray) -> np.ndarray:
    return rows[:, REFERENCE_COLUMNS.index("engaged_with_user_follower_count")].astype(int)


def test_there_are_88_numbers_and_no_label_or_day_among_them():
    assert len(REFERENCE_COLUMNS) == len(set(REFERENCE_COLUMNS)) == 88
    assert not {*schema.TARGETS, schema.ENGAGEMENT_DAY, schema.SPLIT, *schema.EXPOSURE_FEATURES} & set(
        REFERENCE_COLUMNS
    )


def test_all_training_and_finetuning_rows_are_read_and_no_holdout_row(files: tuple[list[Path], Path]):
    training, validation = files
    rows = read_training_rows(training, validation, seed=1, most=10_000)
    split = pq.read_table(validation)["split"].to_numpy()
    finetuning = np.flatnonzero(split >= 0)
    assert told(rows.matrix).tolist() == [*range(700), *range(1000, 1900), *(finetuning + 2000)]
    tables = [pq.read_table(path) for path in (*training, validation)]
    labels = np.concatenate([np.column_stack([t[name].to_numpy() for name in schema.TARGETS]) for t in tables])
    assert (rows.labels == labels[[*range(1600), *(finetuning + 1600)]]).all()
    assert not rows.stopping[:1600].any()
    assert rows.stopping[1600:].tolist() == [chunk in {0, 4, 8} for chunk in split[finetuning]]


def test_of_too_many_training_rows_so_many_are_drawn(files: tuple[list[Path], Path]):
    training, validation = files
    whole, drawn = (read_training_rows(training, validation, seed=1, most=most) for most in (10_000, 1000))
    assert len(drawn.matrix) == len(drawn.labels) == len(drawn.stopping) == 1000
    places = [told(whole.matrix).tolist().index(name) for name in told(drawn.matrix)]
    assert places == sorted(set(places))
    assert (drawn.labels == whole.labels[places]).all()
    assert (drawn.matrix == whole.matrix[places]).all()
    assert (drawn.stopping == whole.stopping[places]).all()
    assert drawn.stopping.sum() == whole.stopping.sum()
    assert 150 < (told(drawn.matrix) < 700).sum() < 400


def test_without_finetuning_rows_the_file_is_named(files: tuple[list[Path], Path], tmp_path: Path):
    table = pq.read_table(files[1])
    only = tmp_path / "holdout.parquet"
    pq.write_table(table.filter(pa.compute.equal(table["split"], schema.HOLDOUT)), only)
    with pytest.raises(UserError, match=r"holdout\.parquet: no fine-tuning rows"):
        read_training_rows(files[0], only, seed=1, most=100)


def test_a_language_is_its_place_and_an_unknown_one_missing():
    table = feature_table(50, 1)
    languages = ["en", "ja", "pt"]
    codes = matrix(table, languages)[:, REFERENCE_COLUMNS.index("language")]
    expected = [languages.index(name) if name in languages else np.nan for name in table["language"].to_pylist()]
    np.testing.assert_array_equal(codes, np.array(expected, np.float32))


def test_an_engagement_keeps_its_rate_where_trees_do_not_hold_or_labels_are_few(
    files: tuple[list[Path], Path], tmp_path: Path
):
    rows = read_training_rows(*files, seed=1, most=10_000)
    rows.labels[:, 1] = (rows.matrix[:, REFERENCE_COLUMNS.index("pair_like")] > 1) ^ rows.stopping
    rows.labels[:, 2] = np.arange(len(rows.labels)) < 3
    probabilities = train(rows, tiny_settings(tmp_path)).probabilities(feature_table(200, 9))
    counts = rows.labels.sum(axis=0)
    for column in (1, 2):
        rate = (counts[column] + 0.5) / (len(rows.labels) + 1)
        assert probabilities[:, column] == pytest.approx(np.full(200, rate))
    assert probabilities[:, 0].std() > 0.1


@pytest.mark.long
def test_they_beat_the_constant_rate_and_nothing_is_lost_from_the_test_part(tmp_path: Path):
    synthesize(tmp_path / "raw", rows=20_000, users=2000, parts=2, seed=1)
    config = worlds.write_config(tmp_path, engine={"threads": 1})
    wanted = set().union(*map(ancestry, READ_ARTIFACTS))
    run_pipeline(Pipeline(config=str(config)), DagsterInstance.ephemeral(), wanted)
    settings = load_settings(config)
    write_results(settings, tmp_path / "results.csv")
    truth = [tmp_path / "raw" / f"test_{name}.parquet" for name in ("labels", "oracle")]
    report = score_predictions(tmp_path / "results.csv", *truth, settings)
    assert report.rows == 20_000 * 1175 // 10_000
    assert report.scores.overall_mean.rce > 5
    assert report.scores.engagements["like"].overall.rce > 10
    assert report.scores.engagements["retweet"].overall.rce > 5
    assert 10 < report.share.overall_mean < 60
