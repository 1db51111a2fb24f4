"""Commands of `engage` as real processes that are sent a signal when they come to a chosen function.

The moment is found inside the process (a profile function that its interpreter loads at the start), so that nothing is
timed: the signal comes at the n-th call of the function, to the process alone, or to its whole group as by Ctrl-C.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from engage_pipeline.machine.stopping import LINE

ENGAGE = str(Path(sys.executable).with_name("engage"))
_LOG_LINE = re.compile(r"\d\d:\d\d:\d\d \S.*")
_SECONDS = 300
_HOOK = """
import json, os, sys

def arm(file, function, count, number, group, reached):
    def profile(frame, event, argument):
        nonlocal count
        code = frame.f_code
        if event == "call" and code.co_name == function and code.co_filename.endswith(file):
            count -= 1
            if count == 0:
                sys.setprofile(None)
                open(reached, "w").close()
                (os.killpg(os.getpgrp(), number) if group else os.kill(os.getpid(), number))
    sys.setprofile(profile)

if sys.argv[0] != "-m":
    arm(**json.loads(os.environ["STOP_AT"]))
"""


@dataclass(frozen=True)
class Moment:
    """The `count`-th call of a function of a file."""

    file: str
    function: str
    count: int = 1
    number: int = signal.SIGINT
    group: bool = False


@dataclass(frozen=True)
class Stopped:
    """How the process ended, and the processes of its session that were still there half a minute later."""

    status: int
    stdout: str
    stderr: str
    reached: bool
    left: list[int]


def stop_at(moment: Moment, arguments: Sequence[str], folder: Path) -> Stopped:
    """Runs the command in `folder`, which is its DAGSTER_HOME too, and sends it the signal."""
    hook, reached = folder / "hook", folder / "reached"
    hook.mkdir(exist_ok=True)
    (hook / "sitecustomize.py").write_text(_HOOK, encoding="utf-8")
    path = os.pathsep.join([str(hook), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {name: value for name, value in os.environ.items() if name != "ENGAGE_CONFIG"}
    environment |= {"PYTHONPATH": path, "DAGSTER_HOME": str(folder)}
    environment["STOP_AT"] = json.dumps({**asdict(moment), "reached": str(reached)})
    # As from a terminal: what runs in a script's background is started with SIGINT ignored.
    process = subprocess.Popen(
        ["env", "--default-signal=INT,TERM", ENGAGE, *arguments],
        cwd=folder, env=environment, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        stdout, stderr = process.communicate(timeout=_SECONDS)
        left = _left_of_session(process.pid)
    finally:
        for pid in {process.pid, *_session(process.pid)} if process.poll() is None else _session(process.pid):
            os.kill(pid, signal.SIGKILL)
    return Stopped(process.returncode, stdout, stderr, reached.exists(), left)


def assert_one_line(stopped: Stopped, number: int) -> None:
    """The moment was reached, the last line says it, and before it there is nothing but the library's log lines."""
    assert stopped.reached, stopped.stderr
    *before, last = stopped.stderr.splitlines()
    assert last == LINE, stopped.stderr
    assert [line for line in before if not _LOG_LINE.fullmatch(line)] == []
    assert not re.search(r"Traceback|Error|Interrupt", "\n".join(before))
    assert stopped.status == 128 + number
    assert stopped.left == []


def _left_of_session(session: int) -> list[int]:
    """Workers end by themselves once the process that started them is gone."""
    deadline = time.monotonic() + 30
    while (found := _session(session)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _session(session: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, of_session = path.read_text(encoding="utf-8").rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(of_session) == session and state != "Z":
            found.append(int(path.parent.name))
    return found
