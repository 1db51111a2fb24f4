"""The card beside the model that predicts tells of that model, whoever decided that it predicts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engage_pipeline import metrics, schema
from engage_pipeline.model.bundle import TrainedModel
from engage_pipeline.model.evaluation.fairness import rce_with_error
from engage_pipeline.model.evaluation.history_section import ModelHistory, history_section
from engage_pipeline.model.promotion.facts import ModelFacts, SlicedRows, SliceFigures
from engage_pipeline.model.promotion.model_card import _below_the_rate, _slice_row, format_scores
from engage_pipeline.model.promotion.rollback import promote_by_hand, roll_back
from engage_pipeline.store.current_link import LATEST
from engage_pipeline.store.file_names import MODEL_CARD
from engage_pipeline.store.store import ArtifactStore, Manifest
from engage_pipeline_tests.model.promotion.promotions import (
    HELD_OUT,
    decide,
    edit_json,
    make_store,
    publish_candidate,
)

TOLERANT = {"tolerance": 1000}


def made_of(rows: int) -> dict[str, Any]:
    """Facts of a candidate that was trained on so many rows."""
    return {
        "trees": True,
        "provenance": {
            "parts": 2,
            "rows": rows,
            "positives": {"like": 7},
            "first_day": "2021-02-04",
            "last_day": "2021-02-24",
            "stray_rows": 3,
            "validation_rows": 300,
            "validation_days": "2021-02-25 to 2021-03-03",
            "data": {"tweet_parts": "0123456789abcdef"},
            "preset": "demo",
            "settings": {"encoder.max_tweets": None, "topics": {"name": "a|b"}},
            "code": "engage_pipeline 9.9, version 0f0f",
            "libraries": {"torch": "7.7"},
        },
    }


def decided(store: ArtifactStore, bundle: Path, rows: int) -> Manifest:
    publish_candidate(store, bundle, **made_of(rows))
    return decide(store)


def card_of(store: ArtifactStore) -> str:
    return store.open("trained_model").path(MODEL_CARD).read_text(encoding="utf-8")


def probabilities(bundle: Path) -> np.ndarray:
    return TrainedModel.load(bundle, threads=1, decided=True).probabilities(HELD_OUT)


def labels() -> np.ndarray:
    return np.column_stack([HELD_OUT[name].to_numpy() for name in schema.TARGETS])


def test_a_model_without_an_encoder_says_so(bundles: dict[str, Path], tmp_path: Path) -> None:
    made = made_of(9)
    store = make_store(tmp_path)
    publish_candidate(
        store, bundles["good"], **{**made, "provenance": {**made["provenance"], "no_encoder": "it was away"}}
    )
    decide(store)
    assert "| text encoder | none: it was away |" in card_of(store)


def test_it_tells_data_scores_with_intervals_decision_and_versions(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path)
    made = decided(store, bundles["good"], 12_345)
    card = card_of(store)
    for text in (
        f"# Model card: engagement model {made.version}\n",
        "| training window | 2021-02-04 to 2021-02-24 |",
        "| training rows | 12,345 |",
        "| of them with a time outside the window | 3 |",
        "| rows with like | 7 |",
        "| days of the validation rows | 2021-02-25 to 2021-03-03 |",
        "| `tweet_parts` | `0123456789abcdef` |",
        "| code | engage_pipeline 9.9, version 0f0f |",
        "| settings | preset `demo`, with the changes below |",
        "| `encoder.max_tweets` | None |",
        "| torch | 7.7 |",
        "## Why it predicts\n\npromoted: no model predicted before\n",
        "gradient-boosted trees",
    ):
        assert text in card, text
    followers = HELD_OUT["engaged_with_user_follower_count"].to_numpy()
    viewers = metrics.viewer_numbers(HELD_OUT["engaging_user_id"])
    values = probabilities(bundles["good"])
    found = metrics.with_intervals(
        metrics.score(labels(), values, followers, edges=(240,)), labels(), values, viewers
    ).engagements
    for name, one in found.items():
        low, high = one.overall.rce_interval or (0, 0)
        lowest, highest = one.overall.ap_interval or (0, 0)
        row = f"| {name} | {one.overall.positives:,} | {one.overall.ap:.4f} | {lowest:.4f} to {highest:.4f} | "
        assert f"{row}{one.overall.rce:.2f} | {low:.2f} to {high:.2f} |\n" in card
    assert f"On {len(values):,} held-out validation rows of {viewers.max() + 1:,} viewers." in card


def test_it_shows_rce_and_calibration_by_language(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path)
    decided(store, bundles["bad"], 1)
    values, viewers = probabilities(bundles["bad"]), metrics.viewer_numbers(HELD_OUT["engaging_user_id"])
    for language in ("en", "ja"):
        rows = np.flatnonzero(np.array(HELD_OUT["language"].to_pylist()) == language)
        observed, given = labels()[rows, 0], values[rows, 0]
        rce, error = rce_with_error(observed, given, viewers[rows])
        ratio = given.mean() / observed.mean()
        assert f"| {language} | {len(rows):,} | {rce:.2f} ± {1.96 * error:.2f}; {ratio:.2f} | " in card_of(store)


def test_a_slice_that_is_surely_worse_than_its_rate_is_named(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path, promotion={"least_first_rce": None})
    decided(store, bundles["worse"], 1)
    assert "worse than the slice's own mean rate: like of viewer and author " in card_of(store)
    other = make_store(tmp_path / "other")
    decided(other, bundles["good"], 1)
    assert "worse than the slice's own mean rate" not in card_of(other)


def test_a_slice_of_one_viewer_has_no_margin_and_is_not_called_worse() -> None:
    alone = SliceFigures(observed=0.25, predicted=0.5, rce=-22.62, margin=None)
    row = SlicedRows(by="language", name="en", rows=60, engagements=dict.fromkeys(schema.TARGETS, alone))
    assert _slice_row(row) == ["en", "60", *["-22.62; 2.00"] * 4]
    assert list(_below_the_rate([row])) == []
    surely = alone.model_copy(update={"margin": 5.0})
    row = row.model_copy(update={"engagements": {**row.engagements, "like": surely}})
    assert list(_below_the_rate([row])) == ["like of language en"]


def test_what_chance_decides_is_named(
    bundles: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(tmp_path)
    decided(store, bundles["good"], 1)
    assert "Chance decides" not in card_of(store)
    counts = np.minimum(labels().sum(axis=0), (~labels()).sum(axis=0))
    monkeypatch.setattr(metrics, "LEAST_OF_A_CLASS", int(counts.min()) + 1)
    decided(store, bundles["bad"], 2)
    few = [name for name, count in zip(schema.TARGETS, counts.tolist(), strict=True) if count == counts.min()]
    said = f"Chance decides the scores of {', '.join(few)}: fewer than {counts.min() + 1} rows of a class."
    assert said in card_of(store)


def test_a_mean_that_leaves_engagements_out_says_so() -> None:
    rce = {"like": 10.0, "retweet": 20.0, "retweet_with_comment": None, "reply": -9.0}
    facts = ModelFacts(decision="promoted", rce={"candidate": {**rce, "mean": 15.0}})
    said = "The mean leaves out engagements with fewer than 10 rows of a class: chance decides these."
    assert format_scores(facts).endswith(f"| mean | 15.00 |\n\n{said}")
    assert said not in format_scores(ModelFacts(decision="promoted", rce={"candidate": {**rce, "mean": 7.0}}))
    for mean, expected in ((15.0, True), (7.0, False)):
        history = ModelHistory("promoted", {"candidate": {**rce, "mean": mean}})
        (table,) = history_section(history).groups[0].tables
        assert (said in table.caption) == expected


def test_it_is_no_part_of_the_content_that_names_the_version(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path)
    made = decided(store, bundles["good"], 1)
    assert MODEL_CARD in made.files
    assert made.version == store.open("candidate_model").manifest.version
    assert decide(store).facts["decision"] == "unchanged: the candidate is the model that predicts already"
    assert "unchanged" in card_of(store)


def test_no_id_of_a_row_is_in_it(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path)
    decided(store, bundles["good"], 1)
    card = card_of(store)
    for column in ("tweet_id", "engaging_user_id", "engaged_with_user_id"):
        assert not [one for one in set(HELD_OUT[column].to_pylist()) if one in card.split()]
    assert str(tmp_path) not in card


def test_a_refused_candidate_leaves_the_card_of_the_model_before(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path)
    first = decided(store, bundles["good"], 111)
    made = decided(store, bundles["bad"], 222)
    card = card_of(store)
    assert not made.facts["promoted"]
    assert f"engagement model {first.version}\n" in card
    assert "| training rows | 111 |" in card
    assert f"\n{made.facts['decision']}\n" in card
    assert "| RCE on the holdout | candidate | before | difference | 95 % |" in card
    score = first.facts["card"]["scores"]["like"]["rce"]
    assert made.facts["candidate_card"]["scores"]["like"]["rce"] != score
    assert f" | {score:.2f} | " in card.split("## Why it predicts")[0]


def test_a_rollback_brings_the_earlier_model_s_card_back(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path, promotion=TOLERANT)
    decided(store, bundles["good"], 111)
    before = card_of(store)
    decided(store, bundles["bad"], 222)
    assert "| training rows | 222 |" in card_of(store)
    made = roll_back(store)
    card = card_of(store)
    assert "| training rows | 111 |" in card
    assert f"## Why it predicts\n\n{made.facts['decision']}\n\n## Limits" in card
    assert card.split("## Why it predicts")[0] == before.split("## Why it predicts")[0]
    promote_by_hand(store)
    assert "| training rows | 222 |" in card_of(store)
    assert "promoted by hand on " in card_of(store)


def test_a_candidate_promoted_by_hand_keeps_the_scores_of_its_refusal(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path)
    decided(store, bundles["good"], 111)
    refused = decided(store, bundles["bad"], 222)
    made = promote_by_hand(store)
    assert made.facts["card"] == refused.facts["candidate_card"]
    card = card_of(store)
    assert "| training rows | 222 |" in card
    assert f" | {made.facts['card']['scores']['like']['rce']:.2f} | " in card


def test_one_that_was_never_judged_has_no_scores(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path)
    decided(store, bundles["good"], 111)
    publish_candidate(store, bundles["bad"], **made_of(333))
    promote_by_hand(store)
    assert "| training rows | 333 |" in card_of(store)
    assert "## Scores\n\nNot known.\n" in card_of(store)


def test_a_candidate_of_an_earlier_version_of_the_program_tells_what_it_knows(
    bundles: dict[str, Path], tmp_path: Path
) -> None:
    store = make_store(tmp_path)
    decide(store, bundles["good"])
    card = card_of(store)
    assert "## Training data\n\nNot recorded: an earlier version" in card
    assert "## Versions\n\nNot recorded.\n" in card
    assert "| like | " in card


def test_a_model_that_could_not_be_scored_says_why(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path, promotion={"least_first_rce": None})
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in bundles["worse"].iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    edit_json(broken / "decided_finetuned_network.json", numbers=[])
    made = decided(store, broken, 1)
    assert made.facts["promoted"]
    assert "\nNot known: " in card_of(store)


def test_no_model_has_no_card(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path)
    made = decided(store, bundles["worse"], 1)
    assert list(made.files) == ["no_model.json"]
    assert not (store.root / LATEST / MODEL_CARD).is_symlink()
    promote_by_hand(store)
    assert (store.root / LATEST / MODEL_CARD).read_text(encoding="utf-8") == card_of(store)
    assert f" | {made.facts['candidate_card']['scores']['like']['rce']:.2f} | " in card_of(store)


def test_a_rollback_remembers_the_card_of_the_refused_candidate(bundles: dict[str, Path], tmp_path: Path) -> None:
    store = make_store(tmp_path)
    decided(store, bundles["bad"], 111)
    decided(store, bundles["good"], 222)
    refused = decided(store, bundles["worse"], 333)
    roll_back(store)
    assert "| training rows | 111 |" in card_of(store)
    assert promote_by_hand(store).facts["card"] == refused.facts["candidate_card"]
    assert "| training rows | 333 |" in card_of(store)
