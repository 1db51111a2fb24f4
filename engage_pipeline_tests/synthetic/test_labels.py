"""Labels are drawn from the oracle's probabilities, and much of them can be learned."""

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest

from engage_pipeline import schema
from engage_pipeline.synthetic.effects import PAIR
from engage_pipeline_tests.synthetic.drawn import Drawn
from engage_pipeline_tests.synthetic.reading import (
    AUTHOR,
    EVALUATION_END,
    VIEWER,
    Made,
    average_precision,
    engaged,
    labels_and_odds,
)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_the_oracle_names_each_row_and_holds_probabilities(made: Made, part: str) -> None:
    oracle, rows = (made.validation_oracle, made.validation) if part == "validation" else (made.test_oracle, made.test)
    assert oracle.column_names == [schema.LINE_NUMBER, "part", *schema.TARGETS]
    assert [oracle.schema.field(name).type for name in oracle.column_names] == [pa.int64(), pa.string()] + [
        pa.float64()
    ] * 4
    assert oracle[schema.LINE_NUMBER].to_pylist() == list(range(len(rows)))
    assert set(oracle["part"].to_pylist()) == {"part-00000"}
    for target in schema.TARGETS:
        assert 0 < oracle[target].to_numpy().min() <= oracle[target].to_numpy().max() < 1


def test_the_labels_of_the_test_rows_stand_in_their_order(made: Made) -> None:
    labels = made.test_labels
    identity = ["tweet_id", "engaging_user_id", "engaged_with_user_follower_count"]
    assert labels.column_names == [*identity, *schema.TARGETS, schema.LINE_NUMBER, "part"]
    assert all(labels.schema.field(target).type == pa.bool_() for target in schema.TARGETS)
    assert labels.select(identity).to_pylist() == [{name: row[name] for name in identity} for row in made.test]
    assert labels[schema.LINE_NUMBER].to_pylist() == list(range(len(made.test)))


@pytest.mark.parametrize("target", schema.TARGETS)
def test_labels_were_drawn_from_the_oracles_probabilities(made: Made, target: str) -> None:
    labels, odds = labels_and_odds(made, target)
    halves = np.arange(labels.size) < len(made.validation)
    for chosen in (halves, ~halves, *np.array_split(np.argsort(odds), 10)):
        p, y = odds[chosen], labels[chosen]
        assert abs(y.sum() - p.sum()) < 4.5 * np.sqrt((p * (1 - p)).sum()) + 0.5


def test_the_oracle_knows_much(made: Made) -> None:
    expected = {"like": 0.815, "retweet": 0.580, "retweet_with_comment": 0.131, "reply": 0.337}
    for target, precision in expected.items():
        assert average_precision(*labels_and_odds(made, target)) == pytest.approx(precision, abs=0.12)


def test_late_tweets_look_less_engaged(peopled: Made) -> None:
    odds = np.array(peopled.validation_oracle["like"].to_pylist() + peopled.test_oracle["like"].to_pylist())
    labels = labels_and_odds(peopled, "like")[0]
    written = np.array([row["tweet_timestamp"] for row in [*peopled.validation, *peopled.test]])
    late = written > EVALUATION_END - 3 * 3600
    for values in (labels, odds):
        assert values[late].mean() < 0.8 * values[~late].mean()


@pytest.mark.parametrize("key", [(VIEWER,), (AUTHOR,), (VIEWER, AUTHOR), (VIEWER, "language"), (VIEWER, "tweet_type")])
def test_what_lasts_predicts_likes_of_the_next_week(made: Made, key: tuple[str, ...]) -> None:
    history = defaultdict(list)
    for row in made.train:
        history[tuple(row[name] for name in key)].append(row["like_timestamp"] is not None)
    known = [row for row in made.validation if tuple(row[name] for name in key) in history]
    rates = []
    for row in known:
        past = history[tuple(row[name] for name in key)]
        rates.append((sum(past) + 4 * 0.397) / (len(past) + 4))
    labels = engaged(known, "like")
    assert average_precision(labels, rates) > labels.mean() + (0.03 if key == (AUTHOR,) else 0.12)


def test_viewers_differ_from_all_to_nothing(made: Made) -> None:
    likes = defaultdict(list)
    for row in made.train:
        likes[row[VIEWER]].append(row["like_timestamp"] is not None)
    rates = np.array([np.mean(past) for past in likes.values() if len(past) >= 10])
    assert (rates > 0.8).mean() > 0.05
    assert (rates < 0.1).mean() > 0.1


@pytest.mark.parametrize("kind", range(4))
def test_an_effect_of_a_pair_moves_its_odds(kind: int) -> None:
    drawn = Drawn()
    chosen = (drawn.exposures.author + drawn.exposures.viewer) % 2 == 0
    fonder = drawn.effects.copy()
    fonder[chosen, kind] += PAIR[kind]
    before = drawn.labels.probabilities[:, kind]
    after = drawn.engagements.labels(fonder + drawn.engagements.fit_intercepts(fonder)).probabilities[:, kind]
    assert after[chosen].mean() > 1.1 * before[chosen].mean()
    assert after[~chosen].mean() < before[~chosen].mean()
