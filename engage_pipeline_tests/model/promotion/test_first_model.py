"""A first model predicts only if it beats the constant rate; until one does, everything says so in one line."""

import re
from pathlib import Path

import numpy as np
import pytest

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.model.promotion.decision import CANT_TELL, HoldoutScore, judge_first
from engage_pipeline.model.promotion.facts import DecisionFacts
from engage_pipeline.model.promotion.model_card import format_scores
from engage_pipeline.model.promotion.predicting import lacks_model, predicting_model
from engage_pipeline.model.promotion.rollback import kept_models, promote_by_hand, roll_back
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.submission.published import hold_published, open_published
from engage_pipeline_tests.model.network.network_samples import set_column
from engage_pipeline_tests.model.promotion.promotions import (
    TABLE,
    decide,
    files_of,
    make_store,
    mean_rce,
    predicting,
)


@pytest.fixture
def refused(bundles: dict[str, Path], tmp_path: Path) -> ArtifactStore:
    """A store whose first candidate was turned down."""
    store = make_store(tmp_path / "data")
    decide(store, bundles["worse"])
    return store


def test_it_stays_a_candidate(refused: ArtifactStore, bundles: dict[str, Path]) -> None:
    made = refused.open("trained_model").manifest
    mean = mean_rce(bundles["worse"])
    assert mean < 0
    assert not made.facts["promoted"]
    noise = r"\(250 rows, 95 % interval -2\d\d\.\d\d to -1\d\d\.\d\d\)"
    assert re.fullmatch(
        f"turned down: mean RCE {mean:.2f} on the holdout {noise}, and a first model must beat the constant rate of "
        "these rows, which has 0",
        made.facts["decision"],
    )
    assert made.facts["rce"]["candidate"]["mean"] == pytest.approx(mean)
    assert "promoted_at" not in made.facts
    assert refused.stale("trained_model") is None
    assert f"| mean | {mean:.2f} |" in format_scores(DecisionFacts.read(made))


@pytest.mark.parametrize(("mean", "beats"), [(-0.01, False), (0.0, False), (0.01, True), (None, False)])
def test_a_mean_of_zero_is_that_of_the_constant_rate(mean: float | None, beats: bool) -> None:
    assert HoldoutScore(dict.fromkeys(schema.TARGETS), mean).beats_the_constant() == beats


def test_nothing_predicts_and_one_line_says_why(
    refused: ArtifactStore, bundles: dict[str, Path], tmp_path: Path
) -> None:
    candidate = refused.open("candidate_model").manifest.version[:8]
    why = refused.open("trained_model").manifest.facts["decision"]
    line = f"no model predicts yet: the candidate {candidate} was {why}; `engage promote` takes it nevertheless"
    assert lacks_model(refused) == line
    for use in (predicting_model, lambda s: open_published(s, 1), lambda s: hold_published(s, tmp_path)):
        with pytest.raises(UserError, match=re.escape(line)):
            use(refused)


def test_there_is_nothing_to_list_or_to_return_to(refused: ArtifactStore) -> None:
    assert kept_models(refused) == []
    with pytest.raises(UserError, match="nothing to roll back to"):
        roll_back(refused)


def test_a_better_candidate_is_judged_as_the_first_again(refused: ArtifactStore, bundles: dict[str, Path]) -> None:
    made = decide(refused, bundles["good"])
    assert made.facts["decision"] == "promoted: no model predicted before"
    assert list(made.facts["rce"]) == ["candidate"]
    assert predicting(refused) == files_of(bundles["good"])
    assert lacks_model(refused) is None
    assert [model.version for model in kept_models(refused)] == [made.version]
    with pytest.raises(UserError, match="nothing to roll back to"):
        roll_back(refused)


def test_the_same_candidate_again_is_turned_down_again(refused: ArtifactStore) -> None:
    before = refused.open("trained_model").manifest
    assert decide(refused).version == before.version
    assert lacks_model(refused) is not None


def test_promoting_it_by_hand_takes_it_with_its_score(refused: ArtifactStore, bundles: dict[str, Path]) -> None:
    made = promote_by_hand(refused)
    assert predicting(refused) == files_of(bundles["worse"])
    assert made.facts["rce_at_promotion"] == pytest.approx(mean_rce(bundles["worse"]))
    assert lacks_model(refused) is None
    assert decide(refused).version == made.version
    assert [model.predicts for model in kept_models(refused)] == [True]


def test_a_holdout_that_scores_nothing_promotes_no_first_model(bundles: dict[str, Path], tmp_path: Path) -> None:
    table = TABLE
    for name in schema.TARGETS:
        table = set_column(table, name, np.zeros(table.num_rows, dtype=bool))
    store = make_store(tmp_path, table)
    assert decide(store, bundles["good"]).facts["decision"] == (
        "turned down: no engagement has both kinds of holdout rows, so nothing shows that it beats the constant rate"
    )
    assert lacks_model(store)


@pytest.mark.parametrize(
    ("mean", "problem", "least", "promoted"),
    [
        (0.0, "", 0.0, False),
        (1e-9, "", 0.0, True),
        (-883.0, "", 0.0, False),
        (4.9, "", 5.0, False),
        (-883.0, "", None, True),
        (None, CANT_TELL, 0.0, False),
        (None, "a hole", 0.0, False),
        (None, "a hole", None, True),
    ],
)
def test_the_bound_of_a_first_model(mean: float | None, problem: str, least: float | None, promoted: bool) -> None:
    score = HoldoutScore(dict.fromkeys(schema.TARGETS, mean), mean, problem)
    assert judge_first(score, least).promoted is promoted


def test_the_setting_lets_any_first_model_predict(bundles: dict[str, Path], tmp_path: Path) -> None:
    made = decide(make_store(tmp_path, promotion={"least_first_rce": None}), bundles["worse"])
    assert made.facts["promoted"]
    assert made.facts["rce_at_promotion"] == pytest.approx(mean_rce(bundles["worse"]))
