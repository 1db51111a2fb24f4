"""Progress lines: count, rate and time left, and a total at the end."""

import logging

import pytest

from engage_pipeline import progress as module
from engage_pipeline.progress import progress


@pytest.mark.parametrize(
    ("ticks", "work", "advances", "lines"),
    [
        (
            [0.0, 2.0, 4.0, 4.0],
            ("sketches", 400, "tweets"),
            [(100, ""), (100, "loss 0.5")],
            [
                "sketches: 100 of 400 tweets, 50 a second, 6 s left",
                "sketches: 200 of 400 tweets, 50 a second, 4 s left, loss 0.5",
                "sketches: 200 tweets in 4.0 s",
            ],
        ),
        (
            [0.0, 32.0, 33.0, 33.0],
            ("effects", 118, "sweeps"),
            [(1, ""), (50, "")],
            [
                "effects: 1 of 118 sweeps, 0.03 a second, 3,744 s left",
                "effects: 51 of 118 sweeps, 1.5 a second, 43 s left",
                "effects: 51 sweeps in 33.0 s",
            ],
        ),
    ],
    ids=["fast", "slow"],
)
def test_lines_tell_count_rate_and_time_left(
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    ticks: list[float],
    work: tuple[str, int, str],
    advances: list[tuple[int, str]],
    lines: list[str],
) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0.0)
    clock = iter(ticks)
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    with caplog.at_level(logging.INFO, "engage_pipeline"), progress(*work) as tracker:
        for count, note in advances:
            tracker.advance(count, note)
    assert [record.getMessage() for record in caplog.records] == lines


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_no_total_is_told_of_work_that_fails(caplog: pytest.LogCaptureFixture, error: type[BaseException]) -> None:
    with (
        caplog.at_level(logging.INFO, "engage_pipeline"),
        pytest.raises(error),
        progress("read part-00003", 400) as tracker,
    ):
        tracker.advance(0)
        raise error
    assert not caplog.records
