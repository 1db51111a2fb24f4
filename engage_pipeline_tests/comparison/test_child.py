"""Child processes: what they cost, and what is said of those that fail."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engage_pipeline.comparison.child import Cost, run_engage, run_python
from engage_pipeline.errors import UserError
from engage_pipeline.machine.stopping import LINE

MEASURING = """
import dataclasses, json, sys
from pathlib import Path
from engage_pipeline.comparison.child import run_python
for code in sys.argv[2:]:
    print(json.dumps(dataclasses.asdict(run_python(["-c", code], Path(sys.argv[1])))))
"""

STOPPED = """
import os, signal, subprocess, sys, time
from pathlib import Path
from engage_pipeline.comparison.child import run_python
from engage_pipeline.machine import stopping

class Told(subprocess.Popen):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        print(self.pid, flush=True)
        if sys.argv[3] == "while it is started":
            os.kill(os.getpid(), signal.SIGTERM)

    def terminate(self):
        time.sleep(0.5)  # as on a busy machine
        super().terminate()

stopping.watch()
subprocess.Popen = Told
try:
    run_python(["-c", sys.argv[2]], Path(sys.argv[1]))
finally:
    stopping.end_if_told()
"""
WAITING = "import signal; signal.pause()"
STUBBORN = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.kill(os.getppid(), signal.SIGTERM)
while True:
    signal.pause()
"""


def measured(log: Path, *codes: str) -> list[Cost]:
    """The costs of Python code, started by a small process: the worker of a test may be as large as what it starts."""
    command = [sys.executable, "-c", MEASURING, str(log), *codes]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [Cost(**json.loads(line)) for line in done.stdout.splitlines()]


def test_peak_memory_and_seconds_are_the_childs(tmp_path: Path):
    sizes = (0, 200, 800)  # MiB
    codes = [f"print({size}); import time; b = bytes(range(256)) * {4096 * size}; time.sleep(0.3)" for size in sizes]
    small, middle, large = measured(tmp_path / "log", *codes)
    assert large.seconds >= 0.3
    assert large.cpu_seconds > 0
    assert large.peak_mb > 800
    # What a process takes for itself is in all three.
    assert 3 < (large.peak_mb - small.peak_mb) / (middle.peak_mb - small.peak_mb) < 5
    assert (tmp_path / "log").read_text() == "0\n200\n800\n"


def test_one_after_the_other_adds_seconds_and_keeps_the_higher_peak():
    assert Cost(2.0, 1.0, 300).then(Cost(3.5, 0.5, 200)) == Cost(5.5, 1.5, 300)


def test_a_failing_command_is_told_in_its_own_words(tmp_path: Path):
    log = tmp_path / "log"
    with pytest.raises(UserError, match=r"^rows: 5 is too few.* \(see .*log\)$"):
        run_engage(["synthesize", "--out", str(tmp_path / "raw"), "--rows", "5"], log)


def test_settings_of_the_environment_do_not_reach_a_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Variables that are no settings do."""
    monkeypatch.setenv("ENGAGE__WORKING_DIR", str(tmp_path / "store"))
    monkeypatch.setenv("ENGAGE_ALERT_WEBHOOK", "http://127.0.0.1:9/")
    code = "import os; print([name for name in sorted(os.environ) if name.startswith('ENGAGE_')])"
    run_python(["-c", code], tmp_path / "log", home=tmp_path)
    assert "'ENGAGE_ALERT_WEBHOOK'" in (tmp_path / "log").read_text()
    assert "ENGAGE__" not in (tmp_path / "log").read_text()


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


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        pytest.param("while it is started", WAITING, id="while it is started"),
        pytest.param("while it works", STUBBORN, id="while it works, and ignores the signal"),
    ],
)
def test_a_child_is_gone_before_the_process_that_is_told_to_stop(tmp_path: Path, moment: str, code: str):
    command = [sys.executable, "-c", STOPPED, str(tmp_path / "log"), code, moment]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (128 + 15, f"{LINE}\n")
    child = Path("/proc", done.stdout.strip())
    try:
        assert not child.exists()
    finally:
        if child.exists():
            os.kill(int(child.name), signal.SIGKILL)
