"""Real processes: their results, their words, and what is left when one of them fails."""

import gc
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.machine import garbage, workers
from engage_pipeline.machine.workers import run_in_processes

LOGGER = logging.getLogger("engage_pipeline")
TIMEOUT = 60.0


def square(number: int) -> int:
    LOGGER.info("%d squared", number)
    return number * number


def objects_until_garbage_is_sought() -> int:
    return gc.get_threshold()[0]


def misbehave(kind: str) -> None:
    match kind:
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "mistaken":
            time.sleep(0.3)
            raise UserError("the third line is too short")
        case "broken":
            raise ZeroDivisionError("by 0")
    time.sleep(TIMEOUT)


def be_idle(folder: Path) -> None:
    (folder / f"{os.getpid()}").touch()
    time.sleep(TIMEOUT)


def test_results_come_in_order_and_log_lines_become_ours(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "engage_pipeline"):
        assert run_in_processes("squares", square, [(7,), (2,), (5,)]) == [49, 4, 25]
    assert sorted(caplog.messages) == ["2 squared", "5 squared", "7 squared"]


def test_they_look_for_garbage_rarely() -> None:
    assert run_in_processes("it", objects_until_garbage_is_sought, [()]) == [garbage.OBJECTS]


@pytest.mark.parametrize(
    ("kinds", "error", "words"),
    [
        (("idle", "killed"), UserError, r"^it: process 2 of 2 was killed \(SIGKILL\); .* short: start it again$"),
        (("mistaken", "idle"), UserError, "^the third line is too short$"),
        (("broken", "mistaken"), UserError, "^the third line is too short$"),
        (("broken", "killed"), UserError, "was killed"),
        (("broken",), RuntimeError, "^ZeroDivisionError: by 0"),
    ],
)
def test_one_that_fails_ends_all(
    kinds: tuple[str, ...], error: type[Exception], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "idle" in kinds:
        monkeypatch.setattr("engage_pipeline.machine.workers._SECONDS_TO_END", 0.2)
    with pytest.raises(error, match=words):
        run_in_processes("it", misbehave, [(kind,) for kind in kinds])
    assert not multiprocessing.active_children()


class Fatal:
    """An argument that ends the process that takes it."""

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return end_here, ()


def end_here(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("when", ["as it takes its arguments", "before it takes them"])
def test_one_that_is_killed_as_it_starts_does_not_keep_the_others_waiting(
    monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Its arguments do not fit into a pipe, which nobody reads any more."""
    if when == "before it takes them":
        monkeypatch.setattr(workers, "_work", end_here)
    with pytest.raises(UserError, match=r"^it: process [12] of 2 was killed \(SIGKILL\)"):
        run_in_processes("it", len, [(Fatal(), bytes(4_000_000)), (Fatal(), bytes(4_000_000))])
    assert multiprocessing.active_children() == []


def test_they_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    script = tmp_path / "start.py"
    script.write_text(
        "from pathlib import Path\n"
        "from engage_pipeline.machine.workers import run_in_processes\n"
        f"from {__name__} import be_idle\n"
        f"if __name__ == '__main__': run_in_processes('it', be_idle, [(Path({str(tmp_path)!r}),)])\n"
    )
    starter = subprocess.Popen(
        [sys.executable, str(script)], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    until(lambda: any(path.name.isdigit() for path in tmp_path.iterdir()))
    starter.kill()
    starter.wait()
    (worker,) = (int(path.name) for path in tmp_path.iterdir() if path.name.isdigit())
    until(lambda: not Path(f"/proc/{worker}/cmdline").exists() or not Path(f"/proc/{worker}/cmdline").read_bytes())


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
