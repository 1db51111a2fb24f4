"""Training data that teach nothing, and training that diverges, in whole worlds."""

from pathlib import Path

import pytest

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.model.evaluation.holdout import read_scores
from engage_pipeline.submission.scoring.results_file import read_predictions
from engage_pipeline_tests import worlds
from engage_pipeline_tests.faults.raw import part_of
from engage_pipeline_tests.orchestration.checks.looking import raw_lines, write_lines

pytestmark = pytest.mark.long
TIMES = [place for place, name in enumerate(schema.COLUMN_NAMES) if name.endswith("_timestamp")]
TWEETED, REPLIED, RETWEETED, QUOTED, LIKED = TIMES
TWO_WEEKS = 14 * 86_400


def everybody_likes_and_nobody_quotes(part: Path, *, day_of_one_row: bool = False) -> None:
    lines = raw_lines(part)
    for fields in lines:
        fields[QUOTED], fields[LIKED] = "", fields[TWEETED]
    if day_of_one_row:
        lines[0] = [
            str(int(text) - TWO_WEEKS) if place in TIMES and text else text for place, text in enumerate(lines[0])
        ]
    write_lines(part, lines)


@pytest.mark.long
def test_labels_of_one_class_a_day_of_one_row_and_a_validation_part_without_positives(world: Path) -> None:
    missing = {"allow_missing_engagements": ["retweet_with_comment"]}
    config = worlds.write_config(world, network={"schedule": "days"}, checks=missing)
    before = worlds.store_of(config).manifest("trained_model")
    for name in ("part-00000", "part-00001", "part-00002"):
        everybody_likes_and_nobody_quotes(part_of(config, name), day_of_one_row=name == "part-00001")
    validation = part_of(config, "part-00000", "validation")
    lines = raw_lines(validation)
    write_lines(validation, [[*fields[: schema.N_TEST_COLUMNS], "", "", "", ""] for fields in lines])
    worlds.run(config)

    store = worlds.store_of(config)
    days = store.open("interaction_counts").manifest.facts
    assert days["like"] == days["rows"] == 3050
    assert days["retweet_with_comment"] == 0
    curve = store.open("pretrained_network").manifest.facts["curve"]
    assert all(0 <= point[target] < 10 for point in curve for target in schema.TARGETS)
    trees = store.open("engagement_trees").manifest.facts["engagements"]
    assert {trees[target]["trees"] for target in schema.TARGETS} == {0}
    assert trees["like"]["reason"] == "0 of 439 rows have it: too one-sided for more than a constant"
    for scores in read_scores(store.open("evaluation").path("scores.json")).values():
        for target in schema.TARGETS:
            overall = scores.engagements[target].overall
            assert (overall.ap, overall.rce, overall.reason) == (None, None, "no positive among 41 rows")
    decision = store.open("trained_model").manifest
    assert decision.facts["decision"].startswith("turned down: no engagement has both kinds of holdout rows")
    assert before is not None
    assert decision.version == before.version
    assert len(read_predictions(store.open("submission").path("results.csv")).probabilities) == 470


def test_a_loss_that_is_not_finite_stops_and_publishes_nothing(world: Path) -> None:
    config = worlds.write_config(world, network={"learning_rate": 1e30, "save_steps": 1, "epochs": 2})
    store = worlds.store_of(config)
    before = store.manifest("pretrained_network")
    with pytest.raises(
        UserError, match=r"pretrained_network: .*(is not finite|became (nan|inf)).*lower .*learning_rate"
    ) as error:
        worlds.run(config, "trained_model")
    assert "\n" not in str(error.value)
    assert store.manifest("pretrained_network") == before
    assert not [path for path in store.folder("pretrained_network").iterdir() if path.name.startswith(".tmp")]
    config = worlds.write_config(world, network={"save_steps": 1, "epochs": 2})
    worlds.run(config, "pretrained_network")
    assert store.manifest("pretrained_network") != before
