"""Progress lines: count, rate and time left, and a total at the end."""

import logging

import pytest

from engage_pipeline import progress as module
from engage_pipeline.progress import progress


def test_lines_tell_count_rate_and_time_left(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0.0)
    ticks = iter([0.0, 2.0, 4.0, 4.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(ticks))
    with caplog.at_level(logging.INFO, "engage_pipeline"), progress("sketches", 400, "tweets") as tracker:
        tracker.advance(100)
        tracker.advance(100, "loss 0.5")
    assert [record.getMessage() for record in caplog.records] == [
        "sketches: 100 of 400 tweets, 50 a second, 6 s left",
        "sketches: 200 of 400 tweets, 50 a second, 4 s left, loss 0.5",
        "sketches: 200 tweets in 4.0 s",
    ]


def test_slow_work_has_a_rate_too(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0.0)
    ticks = iter([0.0, 32.0, 33.0, 33.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(ticks))
    with caplog.at_level(logging.INFO, "engage_pipeline"), progress("effects", 118, "sweeps") as tracker:
        tracker.advance(1)
        tracker.advance(50)
    assert [record.getMessage() for record in caplog.records[:2]] == [
        "effects: 1 of 118 sweeps, 0.03 a second, 3,744 s left",
        "effects: 51 of 118 sweeps, 1.5 a second, 43 s left",
    ]
