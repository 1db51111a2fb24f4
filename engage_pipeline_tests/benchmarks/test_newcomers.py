"""How well newcomers are predicted, and could be, on a finished world."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from engage_pipeline import schema
from engage_pipeline_tests.benchmarks import newcomers


def test_the_share_is_100_for_the_truth_and_0_for_the_constant_rate() -> None:
    """And by hand: truths 0.2 and 0.8, predicted 0.4 and 0.6."""
    true = np.array([0.2, 0.8])
    assert newcomers.share(true, true) == pytest.approx(100)
    assert newcomers.share(np.full(2, 0.5), true) == pytest.approx(0)
    loss = -(0.2 * np.log(0.4) + 0.8 * np.log(0.6))
    best = -(0.2 * np.log(0.2) + 0.8 * np.log(0.8))
    expected = 100 * (np.log(2) - loss) / (np.log(2) - best)
    assert newcomers.share(np.array([0.4, 0.6]), true) == pytest.approx(expected)


def test_what_is_true_of_others_leaves_the_row_out() -> None:
    """By hand: two rows of a tweet with log-odds 0 and log 3, whose mean over all rows counts for two rows."""
    table = pa.table({"tweet_id": ["a", "a"], "engaged_with_user_id": ["b", "c"]})
    true = np.column_stack([[0.5, 0.75]] * 4)
    tweet_rows, of_tweet, *_ = newcomers.truth_of_others(table, true).T
    assert tweet_rows.tolist() == [1, 1]
    mean = np.log(3) / 2
    assert of_tweet == pytest.approx([(np.log(3) + 2 * mean) / 3, (0 + 2 * mean) / 3])


@pytest.mark.long
def test_the_command_prints_a_line_for_each_engagement(
    finished_world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(newcomers, "ROUNDS", 5)
    monkeypatch.setitem(newcomers._SETTINGS, "min_data_in_leaf", 5)
    newcomers.main(["--config", str(finished_world / "config.yaml"), "--oracle", str(finished_world / "raw")])
    first, _, *table = capsys.readouterr().out.splitlines()
    assert first.endswith(" test rows of viewers without a row")
    lines = [line.strip("| ").split(" | ") for line in table[2:]]
    assert [line[0] for line in lines] == [*schema.TARGETS, "mean"]
    assert all(len(line) == 4 and all(float(cell) < 100 for cell in line[1:]) for line in lines)
