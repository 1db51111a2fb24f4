"""The holdout rows, and only they, are scored; the files say what the models gave."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import metrics, schema
from engage_pipeline.errors import UserError
from engage_pipeline.interactions.features.scored_file import ScoredFile
from engage_pipeline.language.codes import load_codes
from engage_pipeline.model.bundle import TrainedModel, build_bundle
from engage_pipeline.model.evaluation.history_section import ModelHistory
from engage_pipeline.model.evaluation.holdout import bundle_predictor, evaluate_model, read_scores, score_holdout
from engage_pipeline.model.evaluation.pipeline_section import PipelineFacts
from engage_pipeline.model.evaluation.scores_section import slices_section
from engage_pipeline.model.evaluation.slices import SLICED_COLUMNS, Scored, score_slices
from engage_pipeline.model.facts import NetworkFacts, TreesFacts, TreesFigures
from engage_pipeline.model.network.scoring import NetworkScorer
from engage_pipeline.model.out_of_fold import OUT_OF_FOLD
from engage_pipeline.model.validation_roles import DECIDED
from engage_pipeline_tests.model.bundles import make_inputs, quiet_settings, write_network
from engage_pipeline_tests.samples import feature_table

TABLE = feature_table(3000, 8, validation=True)
HELD_OUT = TABLE.filter(pa.array(TABLE[schema.SPLIT].to_numpy() == schema.HOLDOUT))
OTHERS = TABLE.filter(pa.array(TABLE[schema.SPLIT].to_numpy() != schema.HOLDOUT))
IDS = HELD_OUT["engaging_user_id"].to_pylist()
VIEWERS = np.array([list(dict.fromkeys(IDS)).index(viewer) for viewer in IDS])
"""By the order in which they occur."""
FILES = ["holdout_predictions.parquet", "report.html", "scores.json"]


def labels_of(table: pa.Table) -> np.ndarray:
    return np.column_stack([table[name].to_numpy() for name in schema.TARGETS])


def predict(table: pa.Table) -> Mapping[str, np.ndarray]:
    """Two models that look at the row's counters, and fail on a row that is not held out."""
    assert set(table[schema.SPLIT].to_pylist()) == {schema.HOLDOUT}
    viewer = np.column_stack([table[f"viewer_{name}"].to_numpy() for name in schema.TARGETS])
    pair = np.column_stack([table[f"pair_{name}"].to_numpy() for name in schema.TARGETS])
    return {"network": 1 / (1 + np.exp(2.0 - 0.5 * viewer)), "trees": 1 / (1 + np.exp(2.5 - 0.5 * viewer - 0.5 * pair))}


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("features") / "features.parquet"
    pq.write_table(TABLE, path, row_group_size=700)
    return path


def evaluated(features: Path, output: Path, **others: object) -> dict:
    output.mkdir()
    chosen = quiet_settings(Path("/data"), evaluation={"follower_edges": [1, 2]})
    return evaluate_model(features, predict, output, chosen, **others)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def plain(features: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """The folder and the facts of one evaluation."""
    output = tmp_path_factory.mktemp("evaluation") / "out"
    return output, evaluated(features, output)


def test_scores_are_those_of_the_holdout_rows(plain: tuple[Path, dict]) -> None:
    output, facts = plain
    assert sorted(path.name for path in output.iterdir()) == FILES
    scores = read_scores(output / "scores.json")
    assert list(scores) == ["network", "trees", "constant"]
    followers = HELD_OUT["engaged_with_user_follower_count"].to_numpy()
    rates = np.tile(labels_of(OTHERS).mean(axis=0), (HELD_OUT.num_rows, 1))
    for name, values in {**predict(HELD_OUT), "constant": rates}.items():
        plain_scores = metrics.score(labels_of(HELD_OUT), values, followers, edges=(1, 2))
        expected = metrics.with_intervals(plain_scores, labels_of(HELD_OUT), values, VIEWERS)
        assert facts["scores"][name]["mean"]["rce_interval"] == expected.overall_mean.rce_interval
        assert scores[name] == expected
        assert facts["scores"][name]["reply"]["rce"] == expected.engagements["reply"].overall.rce
        assert facts["scores"][name]["mean_by_group"]["ap"] == expected.group_mean.ap
    assert facts["rows"] == HELD_OUT.num_rows
    assert facts["positives"]["like"] == HELD_OUT["like"].to_numpy().sum()
    assert facts["main_model"] == json.loads((output / "scores.json").read_text())["main_model"] == "trees"
    json.dumps(facts, allow_nan=False)


def test_counts_inside_the_file_are_those_of_all_its_rows(features: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engage_pipeline.model.evaluation.holdout.BATCH_ROWS", 1000)
    name = "file_viewer_rows"

    def counted(table: pa.Table) -> Mapping[str, np.ndarray]:
        return {"trees": np.tile(table[name].to_numpy()[:, np.newaxis] / 100, (1, 4))}

    found = score_holdout(features, counted, scored_file=True).probabilities["trees"]
    expected = ScoredFile.read(features).columns[name][TABLE[schema.SPLIT].to_numpy() == schema.HOLDOUT]
    assert np.array_equal(found[:, 0], expected / 100)
    with pytest.raises(KeyError, match=name):
        score_holdout(features, counted)


def test_predictions_are_kept_row_by_row(plain: tuple[Path, dict]) -> None:
    kept = pq.read_table(plain[0] / "holdout_predictions.parquet")
    assert kept[schema.LINE_NUMBER].equals(HELD_OUT[schema.LINE_NUMBER])
    assert kept["viewer"].to_pylist() == VIEWERS.tolist()
    assert "engaging_user_id" not in kept.column_names
    for place, name in enumerate(schema.TARGETS):
        assert kept[name].equals(HELD_OUT[name])
        assert np.array_equal(kept[f"trees_{name}"].to_numpy(), predict(HELD_OUT)["trees"][:, place])
    assert kept.schema.field("constant_like").type == pa.float64()


def test_the_constant_of_the_scored_rows_would_have_no_rce(features: Path) -> None:
    """The constant model gives the fine-tuning rows' rates: at most 0, and the nearer the closer the rates are."""
    holdout = score_holdout(features, predict)
    assert np.allclose(holdout.rates, labels_of(OTHERS).mean(axis=0))
    assert holdout.finetuning_rows == OTHERS.num_rows
    scores = metrics.score(holdout.labels, holdout.probabilities["constant"], holdout.followers, edges=(240,))
    assert all(-2 < one.overall.rce <= 0 for one in scores.engagements.values())


def test_learning_curves_are_drawn_where_they_are_known(
    features: Path, plain: tuple[Path, dict], tmp_path: Path
) -> None:
    curve = [{"step": step, **dict.fromkeys(schema.TARGETS, 1 / step)} for step in range(1, 5)]
    trees = {"like": TreesFigures(curve=[0.7, 0.6], gain={"n_tokens": 3.0}), "reply": TreesFigures()}
    training = PipelineFacts(
        pretrained_network=NetworkFacts(rows=4, curve=curve),
        finetuned_network=NetworkFacts(rows=0, curve=[]),
        engagement_trees=TreesFacts(enabled=True, engagements=trees),
    )
    evaluated(features, tmp_path / "out", pipeline=training)
    without, curves = ((folder / "report.html").read_text() for folder in (plain[0], tmp_path / "out"))
    assert without.count("<figure>") == 3 * len(schema.TARGETS)
    assert curves.count("<figure>") == without.count("<figure>") + 3
    assert "Mean loss over the training rows seen since the point before" in curves
    assert "learning curve over the training rows" in curves


def test_same_inputs_same_bytes(features: Path, plain: tuple[Path, dict], tmp_path: Path) -> None:
    evaluated(features, tmp_path / "out")
    for file in FILES:
        assert (tmp_path / "out" / file).read_bytes() == (plain[0] / file).read_bytes()


def test_slices_are_those_of_the_model_that_is_reported(features: Path, plain: tuple[Path, dict]) -> None:
    holdout = score_holdout(features, predict)
    assert holdout.traits.equals(HELD_OUT.select(SLICED_COLUMNS))
    scored = Scored(holdout.labels, holdout.probabilities["trees"], holdout.viewers)
    report = (plain[0] / "report.html").read_text(encoding="utf-8")
    (group,) = slices_section("trees", score_slices(holdout.traits, scored)).groups
    for table in group.tables:
        assert f"<caption>{table.caption}</caption>" in report
        assert all(cell.text in report and cell.note in report for row in table.cells() for cell in row)
    assert "Model trees. RCE in percent" in report


def test_no_holdout_row_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    pq.write_table(OTHERS, tmp_path / "features.parquet")
    with pytest.raises(UserError, match=r"features\.parquet: no holdout row"):
        score_holdout(tmp_path / "features.parquet", predict)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("inputs")
    return make_inputs(TABLE, folder, quiet_settings(folder))


def test_a_bundle_is_scored_part_by_part(inputs: dict[str, Path], tmp_path: Path) -> None:
    chosen = quiet_settings(tmp_path)
    build_bundle(tmp_path, **inputs, settings=chosen)
    model = TrainedModel.load(tmp_path, threads=1)
    found = bundle_predictor(model)(HELD_OUT)
    assert list(found) == ["pretrained", "network", "effects", "trees", "blend"]
    assert np.array_equal(found["blend"], model.probabilities(HELD_OUT))
    assert np.allclose(found["network"], 1 / (1 + np.exp(-model.components(HELD_OUT)["network"])), atol=1e-6)


def test_intervals_of_the_decision_are_not_computed_again(features: Path, tmp_path: Path) -> None:
    """Those of a model with the same scores are taken as they are; one digit more, and they are computed."""
    evaluated(features, tmp_path / "first")
    before = read_scores(tmp_path / "first" / "scores.json")
    cases = {name: one.overall for name, one in before["trees"].engagements.items()} | {
        "mean": before["trees"].overall_mean
    }
    known = {name: metrics.Average(one.ap, one.rce, (0.25, 0.75), (-1.0, 1.0)) for name, one in cases.items()}
    evaluated(features, tmp_path / "second", history=ModelHistory(scores=[{}, known]))
    found = read_scores(tmp_path / "second" / "scores.json")
    assert found["network"] == before["network"]
    assert found["trees"].overall_mean == known["mean"]
    assert found["trees"].group_mean == before["trees"].group_mean
    for name, one in found["trees"].engagements.items():
        assert (one.overall.ap_interval, one.overall.rce_interval) == ((0.25, 0.75), (-1.0, 1.0))
        assert one.overall.positives == before["trees"].engagements[name].overall.positives
    other = known | {"like": replace(known["like"], rce=(known["like"].rce or 0) + 1e-12)}
    evaluated(features, tmp_path / "third", history=ModelHistory(scores=[other]))
    assert read_scores(tmp_path / "third" / "scores.json") == before


def test_the_model_that_predicts_is_scored_beside_the_candidate(
    inputs: dict[str, Path], features: Path, tmp_path: Path
) -> None:
    chosen = quiet_settings(tmp_path)
    folders = [tmp_path / name for name in ("candidate", "predicting", "evaluation")]
    for folder in folders:
        folder.mkdir()
    build_bundle(folders[0], **inputs, settings=chosen)
    other = tmp_path / "finetuned"
    for prefix in ("", DECIDED):
        write_network(other, 1, chosen, prefix)
    shutil.copyfile(inputs["finetuned"] / OUT_OF_FOLD, other / OUT_OF_FOLD)
    build_bundle(folders[1], **(inputs | {"finetuned": other}), settings=chosen)
    candidate, predicting = (TrainedModel.load(folder, threads=1) for folder in folders[:2])
    history = ModelHistory("turned <down>")
    evaluate_model(features, bundle_predictor(candidate, None, predicting), folders[2], chosen, history=history)
    scores = read_scores(folders[2] / "scores.json")
    assert list(scores) == ["pretrained", "network", "effects", "trees", "blend", "predicting", "constant"]
    assert json.loads((folders[2] / "scores.json").read_text())["main_model"] == "blend"
    kept = pq.read_table(folders[2] / "holdout_predictions.parquet")
    assert np.array_equal(kept["predicting_like"].to_numpy(), predicting.probabilities(HELD_OUT)[:, 0])
    report = (folders[2] / "report.html").read_text(encoding="utf-8")
    assert "turned &lt;down&gt;" in report
    assert "Models: predicting, pretrained, network, effects, trees, blend, constant." in report
    assert "the model that predicts:" in report
    assert "Model predicting. RCE in percent" in report


def test_without_trees_the_network_is_compared_with_itself_before(inputs: dict[str, Path], tmp_path: Path) -> None:
    trees, bundle = tmp_path / "trees", tmp_path / "bundle"
    for folder in (trees, bundle):
        folder.mkdir()
    (trees / "trees.json").write_text('{"enabled": false}')
    build_bundle(bundle, **(inputs | {"trees": trees}), settings=quiet_settings(tmp_path))
    model = TrainedModel.load(bundle, threads=1)
    assert list(bundle_predictor(model)(HELD_OUT)) == ["network"]
    found = bundle_predictor(model, inputs["pretrained"])(HELD_OUT)
    assert list(found) == ["pretrained", "network"]
    before = NetworkScorer.load(inputs["pretrained"], load_codes(inputs["codes_path"])).logits(HELD_OUT)
    assert np.allclose(found["pretrained"], 1 / (1 + np.exp(-before.astype(float))), atol=1e-6)
    assert np.array_equal(found["network"], model.probabilities(HELD_OUT))
