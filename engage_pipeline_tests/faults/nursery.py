"""Processes that make one artifact each and may be killed at any moment, started in milliseconds.

A nursery is a process that has imported what the assets import and has started no thread; its children are forks of it.
A child notes its file events below working_dir: the moments at which the disk changes, from when its draft is there, so
that what it sweeps before does not count. Before the one it is told to, it kills itself by SIGKILL; at any other time
the test kills it.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

Event = tuple[str, str]
"""What is about to happen, as Python's audit events call it, and to which path."""
_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir"}
_PRELOADED = (
    "engage_pipeline.language.mlm_training",
    "engage_pipeline.model.network.training",
    "engage_pipeline.model.bundle",
    "lightgbm",
    "scipy.sparse",
    "sklearn.metrics",
    "torch._dynamo",
    "transformers.models.distilbert.modeling_distilbert",
)


@dataclass(frozen=True)
class Ended:
    """How a child ended: the signal that killed it (None = none), what went wrong (None = nothing), its file events."""

    signal: int | None
    failure: str | None
    events: list[Event]
    seconds: float


@dataclass
class Nursery:
    """The starting process of children that work on one configuration."""

    process: subprocess.Popen[str]
    log: Path

    def start(self, asset: str, key: str | None = None, die_before: int | None = None) -> int:
        """Starts to make an artifact; returns the process id. It dies before the event of a number."""
        return int(self._ask({"asset": asset, "key": key, "die_before": die_before})["pid"])

    def wait(self, pid: int) -> Ended:
        """How the child ended, once it has."""
        answer = self._ask({"wait": pid})
        return Ended(answer["signal"], answer["failure"], [(a, b) for a, b in answer["events"]], answer["seconds"])

    def make(self, asset: str, key: str | None = None, die_before: int | None = None) -> Ended:
        """Makes an artifact and waits."""
        return self.wait(self.start(asset, key, die_before))

    def kill_after(self, seconds: float, asset: str, key: str | None = None) -> Ended:
        """Makes an artifact and kills the process after so many seconds, if it has not ended."""
        pid = self.start(asset, key)
        time.sleep(seconds)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return self.wait(pid)

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(question), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the nursery ended: {self.log.read_text(encoding='utf-8')[-4000:]}")
        return dict(json.loads(answer))


@contextmanager
def nursery(config: Path) -> Iterator[Nursery]:
    """A nursery for the configuration, until the block ends."""
    log = config.with_suffix(".log")
    command = [sys.executable, "-m", __name__, str(config)]
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        yield Nursery(process, log)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(60)
        assert process.stdout is not None
        process.stdout.close()


def _serve(config: Path, questions: IO[str], answers: IO[str]) -> None:
    make = _maker(config)
    gc.freeze()
    children: dict[int, tuple[Path, float]] = {}
    for number, line in enumerate(questions):
        question = json.loads(line)
        if "wait" in question:
            print(json.dumps(_ended(question["wait"], *children.pop(question["wait"]))), file=answers, flush=True)
            continue
        notes = config.with_name(f"child-{number}.jsonl")
        notes.touch()
        pid = os.fork()
        if pid == 0:
            _be_child(make, config.parent / "data", notes, question)
        children[pid] = (notes, time.monotonic())
        print(json.dumps({"pid": pid}), file=answers, flush=True)


def _maker(config: Path) -> Callable[[str, str | None], str | None]:
    """A function that makes an artifact by a Dagster run of its own and returns what went wrong; all is imported."""
    import importlib

    for name in _PRELOADED:
        importlib.import_module(name)
    import dagster as dg

    from engage_pipeline.definitions import build_definitions
    from engage_pipeline.orchestration.partitions import register_parts
    from engage_pipeline.orchestration.resources import Pipeline
    from engage_pipeline.orchestration.running import _QUIET as QUIET
    from engage_pipeline.orchestration.running import materialize
    from engage_pipeline.store.plan import Step

    pipeline = Pipeline(config=str(config))
    definitions = build_definitions(pipeline)
    definitions.resolve_implicit_global_asset_job_def()
    dg.materialize([dg.asset(lambda: None, name="what_a_run_imports")], run_config=QUIET)

    def make(asset: str, key: str | None) -> str | None:
        with dg.DagsterInstance.ephemeral() as instance:
            register_parts(instance, pipeline.store().parts())
            return next(iter(materialize(definitions, instance, [[Step(asset, key, "asked for")]])), None)

    return make


def _be_child(make: Callable[[str, str | None], str | None], root: Path, notes: Path, task: dict[str, Any]) -> None:
    """Never returns."""
    seen = 0

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if not _changes_disk(event, arguments, root):
            return
        path = str(arguments[0])
        if not seen and not (event == "os.mkdir" and "/.tmp-" in path):
            return
        if seen == task["die_before"]:
            os.kill(os.getpid(), signal.SIGKILL)
        seen += 1
        os.write(descriptor, json.dumps([event, path]).encode() + b"\n")

    status = 1
    try:
        descriptor = os.open(notes, os.O_WRONLY | os.O_APPEND)
        sys.addaudithook(note)
        failure = make(task["asset"], task["key"])
        os.write(descriptor, json.dumps({"failure": failure}).encode() + b"\n")
        status = 0
    finally:
        sys.stderr.flush()
        os._exit(status)


def _changes_disk(event: str, arguments: tuple[Any, ...], root: Path) -> bool:
    writes = event == "open" and isinstance(arguments[2], int) and bool(arguments[2] & os.O_ACCMODE)
    return (writes or event in _CHANGES) and str(arguments[0]).startswith(f"{root}/")


def _ended(pid: int, notes: Path, started: float) -> dict[str, Any]:
    _, status = os.waitpid(pid, 0)
    seconds = time.monotonic() - started
    lines = [json.loads(line) for line in notes.read_text(encoding="utf-8").splitlines()]
    notes.unlink()
    events = [line for line in lines if isinstance(line, list)]
    killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    failure = next((line["failure"] for line in lines if isinstance(line, dict)), None)
    if killed is None and os.WEXITSTATUS(status):
        failure = "an unforeseen error: see the nursery's log"
    return {"signal": killed, "failure": failure, "events": events, "seconds": seconds}


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), sys.stdin, os.fdopen(os.dup(sys.stdout.fileno()), "w"))
