"""Streaming prediction of raw parts against the same rows scored in memory."""

import csv
import gzip
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.ingest.part_ingest import ingest_part
from engage_pipeline.interactions.features.rows import FeatureFile
from engage_pipeline.interactions.features.writing import write_features
from engage_pipeline.model.bundle import TrainedModel
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.submission import results
from engage_pipeline.submission.predict import expand_inputs, predict
from engage_pipeline_tests.ingest.parsing.parquet_parts import typed, write
from engage_pipeline_tests.model.bundles import quiet_settings
from engage_pipeline_tests.samples import GOLDEN
from engage_pipeline_tests.submission.published import counts, publish_golden_model

BROKEN_LINES = {3: b"too\x01few", 40: b"", 41: b"\xff\xfe\x01"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("world")
    settings = quiet_settings(folder / "data")
    publish_golden_model(folder, settings)
    return settings


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two parts: a packed one, and one with a blank line and two that can't be read."""
    folder = tmp_path_factory.mktemp("test")
    lines = gzip.decompress((GOLDEN / "test" / "part-00000.gz").read_bytes()).splitlines()
    half = len(lines) // 2
    second = lines[half:]
    for place, line in BROKEN_LINES.items():
        second.insert(place, line)
    (folder / "part-00001").write_bytes(b"\n".join(second) + b"\n")
    (folder / "part-00000.gz").write_bytes(gzip.compress(b"\n".join(lines[:half]) + b"\n"))
    return folder


def read_results(path: Path) -> tuple[list[tuple[str, str]], np.ndarray]:
    """Ids, and probabilities in the order of TARGETS."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    places = [2 + schema.SUBMISSION_ENGAGEMENTS.index(target) for target in schema.TARGETS]
    return [(row[0], row[1]) for row in rows], np.array([[float(row[place]) for place in places] for row in rows])


def raw_ids(parts: Path) -> list[tuple[str, str]]:
    """The ids of every readable line, part by part."""
    tweet, viewer = (schema.COLUMN_NAMES.index(name) for name in ("tweet_id", "engaging_user_id"))
    packed = gzip.decompress((parts / "part-00000.gz").read_bytes())
    fields = [line.split(b"\x01") for line in (packed + (parts / "part-00001").read_bytes()).split(b"\n")]
    return [(row[tweet].decode(), row[viewer].decode()) for row in fields if len(row) == schema.N_TEST_COLUMNS]


def test_a_parquet_part_gives_the_results_of_its_lines(settings: Settings, tmp_path: Path) -> None:
    content = gzip.decompress((GOLDEN / "test" / "part-00000.gz").read_bytes())
    content = b"".join(content.splitlines(keepends=True)[:300])
    (tmp_path / "part-text").write_bytes(content)
    write(typed(content), tmp_path / "part-table", 70)
    for name in ("text", "table"):
        predict([tmp_path / f"part-{name}"], tmp_path / f"{name}.csv", settings, threads=1)
    assert (tmp_path / "table.csv").read_bytes() == (tmp_path / "text.csv").read_bytes()


@pytest.mark.parametrize("form", ["text", "gz", "parquet"])
def test_the_one_bad_line_among_many_is_named_with_file_and_reason(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture, form: str
) -> None:
    """Of a Parquet part it is a row whose value no line may hold."""
    good = gzip.decompress((GOLDEN / "test" / "part-00000.gz").read_bytes()).splitlines(keepends=True)[:120]
    part = tmp_path / f"part-00000{'' if form == 'text' else f'.{form}'}"
    bad = good[7].split(b"\x01")
    bad[schema.COLUMN_NAMES.index("language")] = b"x" * 201
    lines = [*good[:7], b"\x01".join(bad), *good[8:]]
    if form == "parquet":
        write(typed(b"".join(lines)), part, 50)
    else:
        part.write_bytes(b"".join(lines) if form == "text" else gzip.compress(b"".join(lines)))
    report = predict([part], tmp_path / "results.csv", settings, threads=1)
    said = (
        f"{part}: skipped 1 line that can't be read: line 7 (from 0): language: '{'x' * 100}' is longer than 200 bytes"
    )
    assert report.warnings[0] == said
    assert f"warning: {said}" in caplog.messages
    assert (report.rows, report.rejected) == (119, 1)
    assert len(read_results(tmp_path / "results.csv")[0]) == 119


def test_a_part_with_many_bad_lines_is_predicted_under_another_limit(settings: Settings, tmp_path: Path) -> None:
    """The message names the way out, and no artifact depends on the limit."""
    good = gzip.decompress((GOLDEN / "test" / "part-00000.gz").read_bytes()).splitlines(keepends=True)[:100]
    part = tmp_path / "part-00000"
    part.write_bytes(b"".join([*good[:50], b"bad\n", b"bad\n", *good[50:]]))
    with pytest.raises(UserError, match=r"= 0\.01; .*; --set ingest\.max_rejected_share=1 reads the other lines$"):
        predict([part], tmp_path / "results.csv", settings, threads=1)
    lenient = settings.model_copy(update={"ingest": settings.ingest.model_copy(update={"max_rejected_share": 1.0})})
    report = predict([part], tmp_path / "results.csv", lenient, threads=1)
    assert (report.rows, report.rejected) == (100, 2)


def test_an_id_that_no_results_file_can_hold_is_named(settings: Settings, tmp_path: Path) -> None:
    lines = gzip.decompress((GOLDEN / "test" / "part-00000.gz").read_bytes()).splitlines()[:20]
    fields = lines[5].split(b"\x01")
    fields[schema.COLUMN_NAMES.index("tweet_id")] = b"a,b"
    part = tmp_path / "part-00000"
    part.write_bytes(b"\n".join([*lines[:5], b"\x01".join(fields), *lines[6:]]) + b"\n")
    (tmp_path / "results.csv").write_bytes(b"those before")
    with pytest.raises(UserError) as caught:
        predict([part], tmp_path / "results.csv", settings, threads=1)
    assert str(caught.value) == f"{part}, line 5 (from 0): tweet_id 'a,b' can't stand in a comma-separated file"
    assert (tmp_path / "results.csv").read_bytes() == b"those before"


def test_streaming_equals_scoring_in_memory(
    settings: Settings, parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "BATCH_ROWS", 333)
    report = predict([parts], tmp_path / "results.csv", settings, threads=1)
    ids, probabilities = read_results(tmp_path / "results.csv")
    store = ArtifactStore(settings)
    model = TrainedModel.load(store.open("trained_model"), threads=1)
    expected = []
    for source in (parts / "part-00000.gz", parts / "part-00001"):
        tweets, features = tmp_path / "tweets.parquet", tmp_path / "features.parquet"
        rejects = tmp_path / "rejects.parquet"
        ingest_part(source, tweets=tweets, rejects=rejects, settings=settings, labelled=False, order="line")
        write_features(tweets, features, kind="test", settings=settings, **counts(store))
        expected.append(model.probabilities(FeatureFile(features).read()))
    assert ids == raw_ids(parts)
    assert np.abs(probabilities - np.concatenate(expected)).max() < 1e-6
    assert (report.rows, report.rejected) == (len(ids), 2)
    assert report.warnings[0] == (
        f"{parts / 'part-00001'}: skipped 2 lines that can't be read: "
        "line 3 (from 0): columns: 2 instead of 20; line 41 (from 0): encoding: invalid UTF-8"
    )
    assert 0 < report.start_seconds < report.seconds
    assert report.rows_per_second == pytest.approx(report.rows / (report.seconds - report.start_seconds))
    assert len(np.unique(probabilities[:, 0])) > 100


def test_temporary_files_are_gone_after_success_and_failure(settings: Settings, parts: Path, tmp_path: Path) -> None:
    predict([parts / "part-00001"], tmp_path / "results.csv", settings, threads=1)
    before = (tmp_path / "results.csv").read_bytes()
    (tmp_path / "part-00007").write_bytes(b"nothing\nthat\ncan\nbe\nread\n")
    with pytest.raises(UserError, match="part-00007"):
        predict([parts / "part-00000.gz", tmp_path / "part-00007"], tmp_path / "results.csv", settings, threads=1)
    assert (tmp_path / "results.csv").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part-00007", "results.csv"]
    assert not list(settings.working_dir.glob(".predict-*"))


def test_inputs_are_checked_before_any_work(settings: Settings, parts: Path, tmp_path: Path) -> None:
    for inputs, message in (
        ([parts, tmp_path / "part-00009"], r"part-00009: no such file or folder"),
        ([Path("gs:/music/test")], r"gs:/music/test: no such file or folder; is it gs://music/test, with two slashes"),
        ([parts, parts / "part-00001"], r"part-00001: given twice"),
        ([tmp_path], r"no parts"),
        ([], r"no parts"),
    ):
        with pytest.raises(UserError, match=message):
            predict(inputs, tmp_path / "results.csv", settings)
    with pytest.raises(UserError, match="is a folder"):
        predict([parts], tmp_path, settings)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fault", ["cut", "column", "labels"])
def test_parquet_parts_are_checked_before_the_model_is_opened(
    settings: Settings, parts: Path, tmp_path: Path, fault: str
) -> None:
    table = typed(gzip.decompress((GOLDEN / "test" / "part-00000.gz").read_bytes()))
    bad = tmp_path / "part-00009.parquet"
    if fault == "column":
        table = table.drop_columns(["engaging_user_id"])
    if fault == "labels":
        table = table.append_column("like_timestamp", pa.array([None] * 7 + [1] * (len(table) - 7), pa.int64()))
    write(table, bad)
    if fault == "cut":
        bad.write_bytes(bad.read_bytes()[:-100])
    nowhere = quiet_settings(tmp_path / "nowhere")  # which has no model
    said = {
        "cut": "damaged Parquet file",
        "column": "no column engaging_user_id$",
        "labels": r"row 7 \(from 0\) has labels",
    }
    with pytest.raises(UserError, match=rf"part-00009\.parquet: {said[fault]}"):
        predict([parts, bad], tmp_path / "results.csv", nowhere)
    assert not (tmp_path / "nowhere").exists()


def test_files_and_folders_mix_in_the_order_given(parts: Path, tmp_path: Path) -> None:
    other = tmp_path / "part-00000"
    other.write_bytes(b"")
    assert expand_inputs([other, parts]) == [other, parts / "part-00000.gz", parts / "part-00001"]


def test_what_is_not_published_or_damaged_is_named(settings: Settings, parts: Path, tmp_path: Path) -> None:
    empty = quiet_settings(tmp_path / "nowhere")
    with pytest.raises(UserError, match="is not there yet"):
        predict([parts], tmp_path / "results.csv", empty)
    copy = settings.model_copy(update={"working_dir": tmp_path / "copy"})
    shutil.copytree(settings.working_dir, copy.working_dir)
    codes = ArtifactStore(copy).open("trained_model").path("codes.parquet")
    codes.write_bytes(codes.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match=r"codes\.parquet: damaged"):
        predict([parts], tmp_path / "results.csv", copy)
    assert not (tmp_path / "results.csv").exists()


@pytest.mark.long
def test_two_processes_write_the_bytes_of_one(settings: Settings, parts: Path, tmp_path: Path) -> None:
    """The second part is the larger one, and there are three: one process takes two that are no neighbours."""
    (tmp_path / "part-00002").write_bytes((parts / "part-00001").read_bytes()[: -len(b"\n")])
    inputs = [parts / "part-00000.gz", parts / "part-00001", tmp_path / "part-00002"]
    alone = predict(inputs, tmp_path / "one.csv", settings, threads=1)
    report = predict(inputs, tmp_path / "two.csv", settings, threads=1, processes=2)
    assert (report.rows, report.rejected, report.warnings) == (alone.rows, alone.rejected, alone.warnings)
    assert (tmp_path / "two.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.csv", "part-00002", "two.csv"]
    assert not list(settings.working_dir.glob(".predict-*"))


def test_neither_an_input_nor_a_published_file_is_replaced(settings: Settings, parts: Path, tmp_path: Path) -> None:
    """Before any work: also where there is no model."""
    for name in ("part-00000.gz", "part-00001"):
        shutil.copy(parts / name, tmp_path / name)
    (tmp_path / "link").symlink_to("part-00001")
    nowhere = quiet_settings(tmp_path / "nowhere")
    before = (tmp_path / "part-00001").read_bytes()
    for inputs in ([tmp_path], [tmp_path / "link"], [tmp_path / "part-00000.gz", tmp_path / "part-00001"]):
        for output in (tmp_path / "part-00001", tmp_path / "link"):
            with pytest.raises(UserError) as caught:
                predict(inputs, output, nowhere, threads=1)
            assert str(caught.value) == f"{output}: is an input; give another output"
    assert (tmp_path / "part-00001").read_bytes() == before
    codes = ArtifactStore(settings).open("trained_model").path("codes.parquet")
    published = codes.read_bytes()
    (tmp_path / "results.csv").symlink_to(codes)
    with pytest.raises(UserError, match=r"results\.csv: leads into the published artifacts"):
        predict([parts], tmp_path / "results.csv", settings, threads=1)
    assert codes.read_bytes() == published
