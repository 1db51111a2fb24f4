"""The candidate predicts unless it is worse than the tolerance allows; whatever happens, a model goes on predicting."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.interactions.features.scored_file import ScoredFile
from engage_pipeline.model.bundle import build_bundle
from engage_pipeline.model.promotion.facts import DecisionFacts
from engage_pipeline.model.promotion.model_card import format_scores
from engage_pipeline.model.promotion.promotion import HoldoutScore, compare
from engage_pipeline.settings.families import DEFAULT_FAMILIES, SCORED_FILE
from engage_pipeline.settings.operating import PromotionSettings
from engage_pipeline.store.deletion_ledger import predating
from engage_pipeline_tests.model.bundles import make_inputs, quiet_settings
from engage_pipeline_tests.model.network.network_samples import set_column
from engage_pipeline_tests.model.promotion.promotions import (
    TABLE,
    decide,
    delete_a_row,
    edit_json,
    files_of,
    make_store,
    mean_rce,
    predicting,
    publish_candidate,
    publish_validation,
    shift_outputs,
)
from engage_pipeline_tests.samples import bare_store


def test_the_first_candidate_predicts(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path)
    made = decide(store, bundles["bad"])
    assert predicting(store) == files_of(bundles["bad"])
    assert made.facts["promoted"]
    assert made.facts["decision"] == "promoted: no model predicted before"
    assert made.facts["rce"]["candidate"]["mean"] == pytest.approx(mean_rce(bundles["bad"]))
    assert made.facts["rce_at_promotion"] == made.facts["rce"]["candidate"]["mean"]
    candidate = store.open("candidate_model")
    assert made.version == made.facts["candidate"] == candidate.manifest.version
    for name in files_of(bundles["bad"]):
        shared = store.open("trained_model").path(name).samefile(candidate.path(name))
        assert shared == name.endswith(".arrow"), name  # tables of effects lie on the disk once


def test_a_better_candidate_is_promoted(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path)
    first = decide(store, bundles["bad"])
    made = decide(store, bundles["good"])
    assert predicting(store) == files_of(bundles["good"])
    rce = made.facts["rce"]
    assert rce["candidate"]["mean"] == pytest.approx(mean_rce(bundles["good"]))
    assert rce["model before"] == first.facts["rce"]["candidate"]
    assert made.facts["promoted"]
    assert made.facts["promoted_at"] > first.facts["promoted_at"]
    difference = made.facts["rce_difference"]["mean"]
    assert difference["rce"] == pytest.approx(mean_rce(bundles["good"]) - mean_rce(bundles["bad"]))
    low, high = difference["interval"]
    assert low < difference["rce"] < high
    assert made.facts["decision"] == (
        f"promoted: mean RCE {mean_rce(bundles['good']):.2f} on the holdout; "
        f"the model before has {mean_rce(bundles['bad']):.2f}, scored anew on the same rows and counters "
        f"(difference {difference['rce']:.2f}, 95 % interval {low:.2f} to {high:.2f})"
    )


def test_a_worse_candidate_is_turned_down(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path)
    first = decide(store, bundles["good"])
    made = decide(store, bundles["bad"])
    assert predicting(store) == files_of(bundles["good"])
    assert made.version == first.version != made.facts["candidate"]
    assert not made.facts["promoted"]
    assert made.facts["decision"].startswith(f"turned down: mean RCE {mean_rce(bundles['bad']):.2f}")
    assert {name: made.facts[name] for name in ("promoted_at", "rce_at_promotion")} == {
        name: first.facts[name] for name in ("promoted_at", "rce_at_promotion")
    }
    assert store.stale("trained_model") is None
    assert store.kept("trained_model") == []


def test_the_tolerance_decides(bundles: dict[str, Path], tmp_path: Path) -> None:
    """What counts of the paired difference is the end of its interval that is best for the candidate."""
    store = make_store(tmp_path / "first")
    decide(store, bundles["good"])
    highest = decide(store, bundles["bad"]).facts["rce_difference"]["mean"]["interval"][1]
    for place, (tolerance, promoted) in enumerate([(-highest - 0.01, False), (-highest + 0.01, True)]):
        store = make_store(tmp_path / str(place), promotion={"tolerance": tolerance})
        decide(store, bundles["good"])
        made = decide(store, bundles["bad"])
        assert made.facts["promoted"] == promoted
        assert ("may be chance" in made.facts["decision"]) == promoted


def test_noise_is_that_of_the_paired_rows_and_no_excuse_for_a_model_below_the_constant() -> None:
    """Draws of both models, so that the two swing together: the difference is far more certain than the scores."""
    swing = np.linspace(-8, 8, 101)[:, None] + np.zeros(4)

    def drawn(mean: float, own: float) -> HoldoutScore:
        return HoldoutScore(dict.fromkeys(schema.TARGETS, mean), mean, "", mean + swing + own * swing[::-1] / 8)

    assert not compare(drawn(10.0, 0.1), drawn(12.0, 0.0), 0.5).promoted
    unsure = compare(drawn(10.0, 3.0), drawn(12.0, 0.0), 0.5)
    assert unsure.promoted
    assert unsure.words.startswith(
        "promoted: mean RCE 10.00 on the holdout; the model before has 12.00, scored anew on the same rows and "
        "counters (difference -2.00"
    )
    assert unsure.words.endswith(
        "): lower by more than the tolerance of 0.5, but that may be chance, as the interval ends above -0.5"
    )
    assert compare(drawn(11.8, 0.1), drawn(12.0, 0.0), 0.5).words.endswith(
        "): lower, but by no more than the tolerance of 0.5"
    )
    assert compare(drawn(12.2, 0.1), drawn(12.0, 0.0), 0.5).words.endswith(")")
    assert not compare(drawn(-1.0, 3.0), drawn(1.0, 0.0), 0.5).promoted
    assert compare(drawn(-1.0, 3.0), drawn(-1.2, 0.0), 0.5).promoted


def test_a_larger_tolerance_makes_nothing_stale_and_holds_when_it_is_decided_again(
    bundles: dict[str, Path], tmp_path: Path
) -> None:
    store = make_store(tmp_path)
    decide(store, bundles["good"])
    decide(store, bundles["bad"])
    tolerant = bare_store(store.settings.model_copy(update={"promotion": PromotionSettings(tolerance=99)}))
    assert tolerant.stale("trained_model") is None
    assert tolerant.open("trained_model")
    again = make_store(tmp_path, promotion={"tolerance": 99})
    assert decide(again).facts["promoted"]
    assert predicting(again) == files_of(bundles["bad"])


def scored(mean: float | None, problem: str = "") -> HoldoutScore:
    return HoldoutScore(dict.fromkeys(schema.TARGETS, mean), mean, problem)


@pytest.mark.parametrize(
    ("candidate", "current", "tolerance", "promoted"),
    [
        (3.0, 3.5, 0.5, True),
        (2.99, 3.5, 0.5, False),
        (3.0, 3.0, 0.0, True),
        (2.999, 3.0, 0.0, False),
        (-1.0, -2.0, 0.0, True),
        (-3.0, -2.0, 0.5, False),
    ],
)
def test_the_edge_of_the_tolerance(candidate: float, current: float, tolerance: float, promoted: bool) -> None:
    assert compare(scored(candidate), scored(current), tolerance).promoted is promoted


def test_a_model_that_cannot_be_scored_loses() -> None:
    broken = scored(None, "a hole")
    assert compare(scored(-9.0), broken, 0).words == "promoted: the model before can't be scored (a hole)"
    assert compare(broken, scored(-9.0), 0).words == "turned down: it can't be scored (a hole)"
    assert compare(broken, broken, 0).promoted


def test_the_same_candidate_again_changes_nothing(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path)
    first = decide(store, bundles["good"])
    made = decide(store, bundles["good"])
    assert made.version == first.version
    assert made.facts["promoted"]
    assert made.facts["promoted_at"] == first.facts["promoted_at"]
    assert made.facts["rce"]["model before"] == made.facts["rce"]["candidate"]


def test_a_model_of_other_columns_is_replaced(bundles: dict[str, Path], tmp_path: Path) -> None:
    """Trees of an earlier version of the program, whose columns were others."""
    older = tmp_path / "older"
    shutil.copytree(bundles["good"], older)
    for name in ("trees.json", "decided_trees.json"):
        edit_json(older / name, columns=["n_tokens"])
    store = make_store(tmp_path / "data")
    publish_candidate(store, older)
    with store.publish("trained_model") as draft:
        for path in older.iterdir():
            shutil.copyfile(path, draft.path(path.name))
    made = decide(store, bundles["bad"])
    assert predicting(store) == files_of(bundles["bad"])
    assert made.facts["decision"].startswith("promoted: the model before can't be scored (")
    assert "n_tokens" in made.facts["decision"]


def test_a_damaged_model_is_replaced(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path)
    decide(store, bundles["good"])
    store.open("trained_model").path("blend.json").write_text("{", encoding="utf-8")
    assert "blend.json: damaged" in decide(store, bundles["bad"]).facts["decision"]
    assert predicting(store) == files_of(bundles["bad"])


def test_a_damaged_candidate_is_an_error_and_the_model_stays(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path)
    decide(store, bundles["good"])
    publish_candidate(store, bundles["bad"])
    store.open("candidate_model").path("blend.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"blend\.json: damaged"):
        decide(store)
    assert predicting(store) == files_of(bundles["good"])


def test_a_candidate_that_gives_no_number_does_not_predict(bundles: dict[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(bundles["bad"], broken)
    shift_outputs(broken, float("nan"))
    store = make_store(tmp_path / "data")
    decide(store, bundles["good"])
    made = decide(store, broken)
    assert "turned down: it can't be scored" in made.facts["decision"]
    assert "gives no number" in made.facts["decision"]
    assert predicting(store) == files_of(bundles["good"])


def test_a_holdout_that_scores_nothing_leaves_the_model_before(bundles: dict[str, Path], tmp_path: Path) -> None:
    table = TABLE
    for name in schema.TARGETS:
        table = set_column(table, name, np.zeros(table.num_rows, dtype=bool))
    decide(make_store(tmp_path), bundles["good"])
    store = make_store(tmp_path, table)
    made = decide(store, bundles["bad"])
    assert not made.facts["promoted"]
    assert predicting(store) == files_of(bundles["good"])
    assert made.facts["rce"]["candidate"]["mean"] is None
    assert "no engagement has both kinds of holdout rows" in made.facts["decision"]
    assert "| mean | - | - |" in format_scores(DecisionFacts.read(made))


def test_the_mean_is_over_the_engagements_that_can_be_scored(bundles: dict[str, Path], tmp_path: Path) -> None:
    table = set_column(TABLE, "reply", np.zeros(TABLE.num_rows, dtype=bool))
    made = decide(make_store(tmp_path, table), bundles["good"])
    rce = made.facts["rce"]["candidate"]
    assert rce["reply"] is None
    assert rce["mean"] == pytest.approx((rce["like"] + rce["retweet"] + rce["retweet_with_comment"]) / 3)


@pytest.mark.parametrize(("positives", "counts"), [(9, False), (10, True), (241, False)])
def test_an_engagement_with_few_rows_of_a_class_decides_nothing(
    bundles: dict[str, Path], tmp_path: Path, positives: int, counts: bool
) -> None:
    replies = np.zeros(TABLE.num_rows, dtype=bool)
    replies[np.flatnonzero(TABLE[schema.SPLIT].to_numpy() == schema.HOLDOUT)[:positives]] = True
    store = make_store(tmp_path, set_column(TABLE, "reply", replies))
    decide(store, bundles["good"])
    made = decide(store, bundles["bad"])
    rce, difference = made.facts["rce"]["candidate"], made.facts["rce_difference"]
    counted = [name for name in schema.TARGETS if counts or name != "reply"]
    assert rce["mean"] == pytest.approx(np.mean([rce[name] for name in counted]))
    assert difference["mean"]["rce"] == pytest.approx(np.mean([difference[name]["rce"] for name in counted]))
    assert ("on the holdout without reply (fewer than 10 of a class)" in made.facts["decision"]) != counts
    low, high = difference["mean"]["interval"]
    assert low < difference["mean"]["rce"] < high
    widest = max(np.diff(difference[name]["interval"])[0] for name in counted)
    assert high - low < widest


def test_engagements_decide_if_all_have_few_rows_of_a_class(bundles: dict[str, Path], tmp_path: Path) -> None:
    table, held = TABLE, np.flatnonzero(TABLE[schema.SPLIT].to_numpy() == schema.HOLDOUT)
    for name in schema.TARGETS:
        table = set_column(table, name, np.isin(np.arange(TABLE.num_rows), held[:9]))
    made = decide(make_store(tmp_path, table), bundles["good"])
    rce = dict(made.facts["rce"]["candidate"])
    assert rce.pop("mean") == pytest.approx(np.mean(list(rce.values())))
    assert "without" not in made.facts["decision"]


def test_only_held_out_rows_count(bundles: dict[str, Path], tmp_path: Path) -> None:
    flipped = TABLE["like"].to_numpy().copy()
    others = TABLE[schema.SPLIT].to_numpy() != schema.HOLDOUT
    flipped[others] = ~flipped[others]
    first = decide(make_store(tmp_path / "one"), bundles["good"])
    second = decide(make_store(tmp_path / "two", set_column(TABLE, "like", flipped)), bundles["good"])
    assert first.facts["rce"] == second.facts["rce"]


def test_a_model_that_reads_the_scored_file_is_judged_with_its_counts_whatever_the_settings_say(
    tmp_path: Path,
) -> None:
    settings = quiet_settings(tmp_path, features={"families": [*DEFAULT_FAMILIES, SCORED_FILE]})
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    build_bundle(bundle, **make_inputs(TABLE, tmp_path / "inputs", settings), settings=settings)
    pq.write_table(TABLE, tmp_path / "table.parquet")
    counted = ScoredFile.read(tmp_path / "table.parquet").beside(TABLE, 0)
    counted = counted.filter(pa.array(TABLE[schema.SPLIT].to_numpy() == schema.HOLDOUT))
    store = make_store(tmp_path / "store")
    assert not store.settings.features.scored_file
    judged = decide(store, bundle).facts["rce"]["candidate"]["mean"]
    assert judged == pytest.approx(mean_rce(bundle, counted))
    assert judged != pytest.approx(mean_rce(bundle))


@pytest.mark.parametrize(
    ("changed", "content", "compared"),
    [
        ({}, b"rows", True),
        ({"seed": 7}, b"rows", False),
        ({"validation_percentage": 0.3}, b"rows", False),
        ({"num_validation_chunks": 5}, b"rows", True),
        ({"seed": 7}, b"next week's rows", True),
    ],
)
def test_a_model_is_not_judged_on_rows_it_was_trained_on(
    bundles: dict[str, Path], tmp_path: Path, changed: dict[str, object], content: bytes, compared: bool
) -> None:
    store = make_store(tmp_path / "data", raw=tmp_path / "raw")
    decide(store, bundles["good"])
    other = make_store(tmp_path / "data", **changed)
    publish_validation(other, tmp_path / "raw", content)
    made = decide(other, bundles["bad"])
    assert made.facts["promoted"] is not compared
    assert made.facts["decision"].startswith("turned down" if compared else "promoted without comparison")
    again = decide(other, bundles["worse"])
    assert not again.facts["promoted"]


def test_a_model_that_saw_deleted_rows_does_not_go_on_for_its_score(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path / "data", raw=tmp_path / "raw")
    decide(store, bundles["good"])
    delete_a_row(store, tmp_path / "raw")
    made = decide(store, bundles["bad"])
    assert made.facts["decision"].startswith("promoted without comparison: 20")
    assert made.facts["decision"].endswith("UTC rows were deleted that the model before had seen")
    assert decide(store, bundles["worse"]).facts["decision"].startswith("turned down")


def test_a_broken_candidate_does_not_predict_after_a_deletion_either(bundles: dict[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(bundles["bad"], broken)
    shift_outputs(broken, float("nan"))
    store = make_store(tmp_path / "data", raw=tmp_path / "raw")
    decide(store, bundles["good"])
    delete_a_row(store, tmp_path / "raw")
    assert not decide(store, broken).facts["promoted"]
    assert "trained_model" in predating(store)


def test_a_candidate_that_saw_them_too_is_compared(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path / "data", raw=tmp_path / "raw")
    decide(store, bundles["good"])
    publish_candidate(store, bundles["bad"])
    delete_a_row(store, tmp_path / "raw")
    assert decide(store).facts["decision"].startswith("turned down: mean RCE")


def test_the_last_models_that_predicted_are_kept(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path, promotion={"tolerance": 1000, "keep": 2})
    versions = [decide(store, bundles[name]).version for name in ("good", "bad", "worse", "worse")]
    assert [version.manifest.version for version in store.kept("trained_model")] == [versions[1]]


def test_the_table_shows_both_scores(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path)
    decide(store, bundles["good"])
    facts = DecisionFacts.read(decide(store, bundles["bad"]))
    lines = format_scores(facts).splitlines()
    bad, good = mean_rce(bundles["bad"]), mean_rce(bundles["good"])
    low, high = facts.rce_difference["mean"].interval or (0, 0)
    assert lines[0].startswith("turned down")
    assert lines[2] == "| RCE on the holdout | candidate | before | difference | 95 % |"
    assert lines[-1] == f"| mean | {bad:.2f} | {good:.2f} | {bad - good:.2f} | {low:.2f}\xa0to\xa0{high:.2f} |"
    assert max(map(len, lines[2:])) <= 80
