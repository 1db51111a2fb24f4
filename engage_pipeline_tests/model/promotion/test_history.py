"""The models so far, as the report shows them."""

from pathlib import Path

import pytest

from engage_pipeline import metrics
from engage_pipeline.model.evaluation.history_section import Difference, ModelHistory, PastModel, history_section
from engage_pipeline.model.evaluation.holdout import SCORES, read_scores
from engage_pipeline.model.promotion.history import model_history
from engage_pipeline.model.promotion.rollback import roll_back
from engage_pipeline_tests import worlds
from engage_pipeline_tests.model.promotion.promotions import decide, make_store, mean_rce
from engage_pipeline_tests.model.promotion.test_model_card import decided


def test_each_model_is_compared_with_the_one_before(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path / "data", promotion={"tolerance": 1000}, raw=tmp_path / "raw")
    decide(store, bundles["good"])
    (first,) = model_history(store).models
    assert (first.predicts, first.difference) == (True, None)
    assert first.rce == pytest.approx(mean_rce(bundles["good"]))
    decide(store, bundles["bad"])
    history = model_history(store)
    second, before = history.models
    assert history.predicting == second
    assert (before.version, before.predicts, before.difference) == (first.version, False, None)
    assert second.difference == history.differences["mean"]
    assert second.difference is not None
    assert second.difference.rce == pytest.approx(mean_rce(bundles["bad"]) - mean_rce(bundles["good"]))
    low, high = second.difference.interval or (0.0, 0.0)
    assert low < second.difference.rce < high < 0
    decide(store, bundles["bad"])
    assert model_history(store).models[0].difference is None, "it was compared with itself"


def test_a_decision_on_another_candidate_says_nothing_of_the_model_before(
    bundles: dict[str, Path], tmp_path: Path
) -> None:
    store = make_store(tmp_path / "data", promotion={"tolerance": 0.1}, raw=tmp_path / "raw")
    decide(store, bundles["good"])
    decide(store, bundles["worse"])
    history = model_history(store)
    (only,) = history.models
    assert history.decision.startswith("turned down")
    assert only.difference is None
    assert history.differences["mean"].rce < 0
    assert list(history.rce) == ["candidate", "model before"]


def test_a_model_has_the_code_that_made_it(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path / "data", promotion={"tolerance": 1000}, raw=tmp_path / "raw")
    decide(store, bundles["good"])
    decided(store, bundles["bad"], 222)
    assert [model.code for model in model_history(store).models] == ["engage_pipeline 9.9, version 0f0f", ""]


@pytest.mark.long
def test_the_report_has_the_intervals_of_the_decision(finished_world: Path) -> None:
    store = worlds.store_of(finished_world / "config.yaml")
    scores = read_scores(store.open("evaluation").path(SCORES))["blend"]
    decided_on, predicting = model_history(store).scores
    assert decided_on == predicting
    assert decided_on["mean"].ap_interval is not None
    assert metrics.with_known_intervals(scores, decided_on) == scores


def test_a_rollback_has_a_history_too(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path / "data", promotion={"tolerance": 1000}, raw=tmp_path / "raw")
    for name in ("good", "bad"):
        decide(store, bundles[name])
    roll_back(store)
    history = model_history(store)
    assert history.decision.startswith("rolled back to")
    assert history.predicting is not None
    assert history.predicting.rce == pytest.approx(mean_rce(bundles["good"]))
    assert [model.predicts for model in history.models] == [False, True]
    assert len(history_section(history).groups[0].tables) == 2


def test_the_tables_show_the_history() -> None:
    rce = {"candidate": {"like": 3.0, "mean": 2.0}, "model before": {"like": None, "mean": 1.5}}
    differences = {"mean": Difference(0.5, (-0.25, 1.25))}
    models = [
        PastModel("new", "2021-03-04 05:06 UTC", 2.0, True, differences["mean"]),
        PastModel("old", "x", None, False),
    ]
    decision, kept = history_section(ModelHistory("promoted", rce, differences, models)).groups[0].tables
    assert decision.columns == ("engagement", "candidate", "model before", "difference", "95 % interval")
    assert [list(row) for row in decision.rows] == [
        ["like", "3.00", "-", "-", "-"],
        ["mean", "2.00", "1.50", "0.50", "-0.25 to 1.25"],
    ]
    assert [list(row) for row in kept.rows] == [
        ["new (predicts)", "2021-03-04 05:06 UTC", "2.00", "0.50", "-0.25 to 1.25"],
        ["old", "x", "-", "-", "-"],
    ]
    assert history_section(ModelHistory()).groups[0].tables == []
