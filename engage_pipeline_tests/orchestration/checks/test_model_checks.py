"""Predictions that are distorted, for all rows or for one author group: what the checks of `evaluation` say."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.model.evaluation.holdout import FOLLOWERS, PREDICTIONS
from engage_pipeline_tests import worlds
from engage_pipeline_tests.orchestration.checks.looking import distrusted, failed, look

pytestmark = pytest.mark.long
ROWS = 20_000


def predict(config: Path, distort: str) -> dict[str, str]:
    """Publishes predictions that follow their probabilities but for `distort`; returns which checks fail, and why."""
    rng = np.random.default_rng(1)
    followers = rng.choice([100, 300, 1000, 2000, 5000], ROWS)
    columns: dict[str, np.ndarray] = {FOLLOWERS: followers}
    for target, rate in zip(schema.TARGETS, (0.4, 0.1, 0.01, 0.03), strict=True):
        spread = rng.normal(0, 1.5, ROWS)
        true = 1 / (1 + np.exp(-(np.log(rate / (1 - rate)) + spread)))
        columns[target] = rng.random(ROWS) < true
        told = true.copy()
        if distort == "all rows":
            told = np.sqrt(true)
        elif distort == "one group":
            told[followers == 100] = rng.permutation(true[followers == 100])
        elif distort == "one group's rate":
            told[followers == 5000] *= 0.7
        columns[f"blend_{target}"] = told
    store = worlds.store_of(config)
    before = store.open("evaluation").directory()
    with store.publish("evaluation") as draft:
        for path in before.iterdir():
            shutil.copy(path, draft.directory)
        pq.write_table(pa.table(columns), draft.path(PREDICTIONS))
    found = failed(look(config, "evaluation"))
    return {name: text for name, text in found.items() if name != "beats_the_constant_rate"}


def test_a_finished_world_passes(finished_world: Path) -> None:
    found = look(finished_world / "config.yaml", "evaluation")
    assert {"probabilities_are_calibrated", "author_groups_are_served_alike"} <= found.keys()
    # Chance decides these three on so few holdout rows: two of seven in one author group are retweets. That sound
    # predictions pass them is tested on 20 000 rows below.
    by_chance = {"beats_the_constant_rate", "probabilities_are_calibrated", "author_groups_are_served_alike"}
    assert failed(found).keys() <= by_chance
    assert "3996+" in str(found["author_groups_are_served_alike"].metadata["author groups"].value)


def test_sound_predictions_pass(world: Path) -> None:
    assert predict(world / "config.yaml", "nothing") == {}


def test_distorted_predictions_are_told_of_and_block_nothing(world: Path) -> None:
    config = world / "config.yaml"
    found = predict(config, "all rows")
    assert {"probabilities_are_calibrated"} <= found.keys()
    assert all(f"{target}: predicted " in found["probabilities_are_calibrated"] for target in schema.TARGETS)
    assert distrusted(config, "evaluation") == set()
    worlds.write_config(world, checks={"calibration_error": 0.9})
    assert "probabilities_are_calibrated" not in failed(look(config, "evaluation"))


def test_a_group_that_is_served_worse_is_named(world: Path) -> None:
    config = world / "config.yaml"
    found = predict(config, "one group")
    assert "like, <240 followers: RCE " in found["author_groups_are_served_alike"]
    assert found["author_groups_are_served_alike"].count("followers") == found["author_groups_are_served_alike"].count(
        "<240 followers"
    )
    worlds.write_config(world, checks={"fairness_rce": 500})
    passing = look(config, "evaluation")
    assert "author_groups_are_served_alike" not in failed(passing)
    one = passing["author_groups_are_served_alike"]
    points = one.metadata["points of RCE below all rows, group nearest to its limit"].value
    assert isinstance(points, float) and points > 10
    assert f"like, <240 followers: RCE {points:.1f} points below all rows, " in str(one.description)


def test_a_group_that_is_promised_less_than_it_gives_is_named(world: Path) -> None:
    config = world / "config.yaml"
    found = predict(config, "one group's rate")["author_groups_are_served_alike"]
    assert "like, 3996+ followers: predicted " in found
    assert "<240" not in found
    worlds.write_config(world, checks={"group_calibration": 0.5})
    assert "author_groups_are_served_alike" not in failed(look(config, "evaluation"))
