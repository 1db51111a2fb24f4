"""A model that reads counts inside the scored file: whole parts by every way, and rows that come alone."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from engage_pipeline import schema
from engage_pipeline.files.outputs import find_output
from engage_pipeline.ingest.part_ingest import ingest_part
from engage_pipeline.interactions.features.joining import read_tweets
from engage_pipeline.interactions.features.rows import FeatureFile
from engage_pipeline.interactions.features.scored_file import ScoredFile
from engage_pipeline.interactions.features.writing import write_features
from engage_pipeline.model.bundle import TrainedModel
from engage_pipeline.settings.families import DEFAULT_FAMILIES, SCORED_FILE
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.submission import parts as predicting
from engage_pipeline.submission import results
from engage_pipeline.submission.explanation.as_json import write_json
from engage_pipeline.submission.explanation.as_text import to_text
from engage_pipeline.submission.explanation.explain import explain
from engage_pipeline.submission.predict import predict
from engage_pipeline.submission.predictor import Predictor
from engage_pipeline.submission.results import write_submission
from engage_pipeline_tests.model.bundles import quiet_settings
from engage_pipeline_tests.samples import GOLDEN
from engage_pipeline_tests.submission.published import counts, publish_golden_model

LINES = 500


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("world")
    settings = quiet_settings(folder / "data", features={"families": [*DEFAULT_FAMILIES, SCORED_FILE]})
    publish_golden_model(folder, settings)
    return settings


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("test")
    lines = gzip.decompress((GOLDEN / "test" / "part-00000.gz").read_bytes()).splitlines(keepends=True)[:LINES]
    for number, own in enumerate((lines[: LINES // 3], lines[LINES // 3 :])):
        (folder / f"part-0000{number}").write_bytes(b"".join(own))
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def model(settings: Settings) -> TrainedModel:
    return TrainedModel.load(ArtifactStore(settings).open("trained_model"), threads=1)


@pytest.fixture(scope="module")
def files(settings: Settings, parts: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Path]]:
    """Tweets and features of each part, as test_tweets and test_features hold them."""
    folder = tmp_path_factory.mktemp("files")
    found = [(folder / f"{part.name}.tweets", folder / f"{part.name}.features") for part in parts]
    for part, (tweets, features) in zip(parts, found, strict=True):
        ingest_part(part, tweets=tweets, rejects=folder / "rejects", settings=settings, labelled=False, order="line")
        write_features(tweets, features, kind="test", settings=settings, **counts(ArtifactStore(settings)))
    return found


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Several row groups and batches a part, so that the counts of the first rows don't do for others."""

    def small_groups(path: Path, *, tokens: bool) -> Iterator[pa.Table]:
        for table in read_tweets(path, tokens=tokens):
            yield from (table.slice(start, 60) for start in range(0, len(table), 60))

    monkeypatch.setattr(predicting, "read_tweets", small_groups)
    monkeypatch.setattr(results, "BATCH_ROWS", 77)
    monkeypatch.setattr(predicting, "BATCH_ROWS", 25)
    yield


def test_tweets_and_features_of_a_part_count_alike(files: list[tuple[Path, Path]]) -> None:
    for tweets, features in files:
        found, other = ScoredFile.read(tweets).columns, ScoredFile.read(features).columns
        assert all(np.array_equal(found[name], other[name], equal_nan=True) for name in schema.SCORED_FILE_FEATURES)


def test_each_part_is_a_file_whichever_way_it_is_predicted(
    settings: Settings, parts: list[Path], files: list[tuple[Path, Path]], model: TrainedModel, tmp_path: Path
) -> None:
    assert model.reads_scored_file
    for name, processes in (("one", 1), ("two", 2)):
        predict(parts, tmp_path / f"{name}.csv", settings, threads=1, processes=processes)
    features = [path for _, path in files]
    write_submission(model, features, tmp_path / "asset.csv", scored_file=model.reads_scored_file)
    content = (tmp_path / "one.csv").read_bytes()
    assert (tmp_path / "two.csv").read_bytes() == (tmp_path / "asset.csv").read_bytes() == content
    tables = [ScoredFile.read(path).beside(FeatureFile(path).read(), 0) for path in features]
    expected = np.concatenate([model.probabilities(table) for table in tables])
    likes = [float(line.split(b",")[-1]) for line in content.splitlines()]
    np.testing.assert_allclose(likes, expected[:, 0], rtol=0, atol=1e-6)
    alone = np.concatenate([model.probabilities(FeatureFile(path).read()) for path in features])
    assert (np.abs(alone - expected).max(axis=1) > 1e-6).mean() > 0.5  # the counts say something


def test_a_row_alone_has_no_counts_and_explain_says_so(
    settings: Settings, parts: list[Path], files: list[tuple[Path, Path]], model: TrainedModel, tmp_path: Path
) -> None:
    line = parts[0].read_bytes().splitlines(keepends=True)[7]
    predictor = Predictor.open(settings, threads=1)
    row = FeatureFile(files[0][1]).read().slice(7, 1)
    np.testing.assert_allclose(predictor.predict(line), model.probabilities(row)[0], rtol=0, atol=1e-3)
    explained = explain(parts[0], 7, settings, threads=1)
    for found in (explained.explanation, predictor.explain(line)):
        for one in found.engagements:
            assert {*schema.SCORED_FILE_FEATURES} <= one.contributions.keys()
            assert abs(one.residual) < 0.05
    assert "are missing: the row is explained alone" in to_text(explained)
    write_json(explained, find_output(tmp_path / "row.json"))
    values = json.loads((tmp_path / "row.json").read_text(encoding="utf-8"))
    assert {values["features"][name] for name in schema.SCORED_FILE_FEATURES} == {None}
    families = {family["family"]: family for family in values["engagements"]["like"]["families"]}
    assert families[SCORED_FILE]["says"] == "missing, since the row is explained alone"
    assert families[SCORED_FILE]["title"] == "counts inside the scored file"
