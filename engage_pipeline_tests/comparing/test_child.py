"""Child processes: what they cost, and what is said of those that fail."""

from pathlib import Path

import pytest

from engage_pipeline.comparing.child import Cost, run_engage, run_python
from engage_pipeline.errors import UserError


def test_peak_memory_and_seconds_are_the_childs(tmp_path: Path):
    small = run_python(["-c", "print('small')"], tmp_path / "log")
    large = run_python(["-c", "import time; b = bytes(range(256)) * 1_600_000; time.sleep(0.3)"], tmp_path / "log")
    assert large.seconds >= 0.3
    assert large.cpu_seconds > 0
    assert large.peak_mb - small.peak_mb == pytest.approx(390, abs=200)
    assert large.peak_mb > 390
    assert (tmp_path / "log").read_text() == "small\n"


def test_one_after_the_other_adds_seconds_and_keeps_the_higher_peak():
    assert Cost(2.0, 1.0, 300).then(Cost(3.5, 0.5, 200)) == Cost(5.5, 1.5, 300)


def test_a_failing_command_is_told_in_its_own_words(tmp_path: Path):
    log = tmp_path / "log"
    with pytest.raises(UserError, match=r"^rows: 5 is too few.* \(see .*log\)$"):
        run_engage(["synthesize", "--out", str(tmp_path / "raw"), "--rows", "5"], log)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("print('one'); print('engage: no rows'); print('two'); raise SystemExit(1)", "no rows"),
        ("raise SystemExit(3)", "exit status 3"),
        ("print('one'); print('two'); raise SystemExit(1)", "two"),
        ("import os; os.kill(os.getpid(), 9)", "killed by signal 9"),
    ],
)
def test_a_program_without_a_message_is_told_by_its_last_line_or_status(tmp_path: Path, code: str, said: str):
    with pytest.raises(UserError, match=f"^{said} "):
        run_python(["-c", code], tmp_path / "log")
