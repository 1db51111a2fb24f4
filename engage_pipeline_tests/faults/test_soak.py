"""Parts that arrive over time under `dagster dev`, and kills at random moments: in the end all is as after a clean run.

It takes minutes, so that it runs when it is asked for:

    ENGAGE_SOAK=40,16 .venv/bin/python -m pytest engage_pipeline_tests/faults/test_soak.py -s

for 40 parts and up to 16 kills of runs. At half time the daemon, the code server and all else that `dagster dev`
started are killed too, and it is started again.
"""

import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.synthetic import synthesize
from engage_pipeline_tests import servers, worlds
from engage_pipeline_tests.e2e.harness import ENDED, Dev, development

ASKED = os.environ.get("ENGAGE_SOAK")
PARTS, KILLS = (int(number) for number in (ASKED or "4,2").split(","))
pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(5400),
    pytest.mark.skipif(not ASKED, reason="takes minutes: ENGAGE_SOAK=40,16 asks for it"),
]
ROWS_A_PART = 300
SERVERS = {"daemon": "dagster._daemon", "code server": "dagster api grpc"}
WORKER = "multiprocessing.spawn"
PARENT_TAG = "dagster/parent_run_id"
LONGEST_WAIT = 6.0
"""Seconds within which a run's process is killed: about as long as it lives."""
MOST_GROWTH_MB = 60


def command_line(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def processes(dev: Dev, words: str) -> list[int]:
    """The processes of `dagster dev` whose command line holds `words`."""
    return [pid for pid in servers.alive_in_session(dev.session) if words in command_line(pid)]


def resident_mb(dev: Dev) -> dict[str, int]:
    """The resident memory of the daemon and of the code server."""
    found = {}
    for name, words in SERVERS.items():
        (pid,) = processes(dev, words)
        found[name] = int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) // 1024
    return found


@dataclass
class Soak:
    """Lets parts arrive and kills runs, at moments drawn from a seed."""

    spare: list[Path]
    parts: Path
    kills_left: int
    rng: random.Random = field(default_factory=lambda: random.Random(7))
    next_part: float = 0.0
    doomed: dict[int, float] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    killed: int = 0

    def step(self, dev: Dev) -> None:
        """Does what is due now."""
        now = time.monotonic()
        if self.spare and now >= self.next_part:
            self._drop(self.spare.pop(0))
            self.next_part = now + self.rng.uniform(0, 8)
        for pid in processes(dev, WORKER):
            if pid not in self.seen:
                self.seen.add(pid)
                if self.kills_left > len(self.doomed):
                    self.doomed[pid] = now + self.rng.uniform(0, LONGEST_WAIT)
        for pid in [pid for pid, due in self.doomed.items() if now >= due]:
            del self.doomed[pid]
            if command_line(pid) and not self._may_be_second_try(dev, pid):
                os.kill(pid, signal.SIGKILL)
                self.kills_left -= 1
                self.killed += 1

    def _drop(self, part: Path) -> None:
        unfinished = self.parts / f"{part.name}.tmp"
        shutil.copy(part, unfinished)
        unfinished.rename(self.parts / part.name)

    def _may_be_second_try(self, dev: Dev, pid: int) -> bool:
        """Whether the process works on a second attempt, or may, as long as that has not noted its process: Dagster
        makes no third attempt, a person does."""
        second = [run for run in dev.runs() if PARENT_TAG in run.tags and run.status in {"STARTING", "STARTED"}]
        noted = {run.id: dev.process(run.id) for run in second}
        return any(run not in process or f":{pid}:" in process for run, process in noted.items())

    def until(self, dev: Dev, condition: Callable[[], bool], what: str) -> None:
        """Goes on until the condition holds."""

        def holds() -> bool:
            self.step(dev)
            return condition()

        servers.wait_until(holds, what, deadline=120 + 40 * PARTS, every=0.2)


def parts_of(dev: Dev) -> list[str]:
    """The parts that are ingested."""
    return dev.store().parts()


def is_quiet(dev: Dev) -> bool:
    """Whether no run is under way."""
    return all(run.status in ENDED for run in dev.runs())


def is_starting(dev: Dev) -> bool:
    """Whether a run has no process yet, which Dagster would wait for minutes for, or is the second try, the last."""
    return any(run.status == "STARTING" or (run.status == "STARTED" and PARENT_TAG in run.tags) for run in dev.runs())


def soak_until(soak: Soak, dev: Dev, condition: Callable[[], bool]) -> tuple[dict[str, int], dict[str, int]]:
    """Soaks until the condition holds; the resident memory, MB, after the first run and at the end."""
    soak.until(dev, lambda: any(run.status == "SUCCESS" for run in dev.runs()), "the first run")
    before = resident_mb(dev)
    soak.until(dev, condition, "the parts")
    return before, resident_mb(dev)


def made(store: ArtifactStore) -> dict[tuple[str, str], object]:
    """The files of every part: names, sizes and SHA-256."""
    return {
        (name, key): store.open(name, key).manifest.files
        for name in ("tweet_parts", "interaction_features")
        for key in store.parts()
    }


def kill_everything(dev: Dev) -> None:
    for pid in servers.alive_in_session(dev.session):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A world without any training part yet; its parts wait in `spare`."""
    synthesize(tmp_path / "raw", rows=PARTS * ROWS_A_PART, users=20 * PARTS, parts=PARTS, seed=3)
    (tmp_path / "raw" / "train").rename(tmp_path / "spare")
    (tmp_path / "raw" / "train").mkdir()
    shutil.copy(worlds.REPOSITORY / "dagster.yaml", tmp_path)
    worlds.write_config(tmp_path, automation={"sensor_seconds": 1, "stable_seconds": 1})
    return tmp_path


def test_parts_that_arrive_between_kills_give_what_a_clean_run_gives(folder: Path) -> None:
    names = sorted(path.name for path in (folder / "spare").iterdir())
    soak = Soak(sorted((folder / "spare").iterdir()), folder / "raw" / "train", KILLS)
    started, growth = time.monotonic(), []
    with development(folder) as dev:
        growth.append(soak_until(soak, dev, lambda: len(parts_of(dev)) >= PARTS // 2 and not is_starting(dev)))
        kill_everything(dev)
    with development(folder) as dev:
        growth.append(soak_until(soak, dev, lambda: parts_of(dev) == names and is_quiet(dev)))
    print(f"{PARTS} parts, {soak.killed} kills of runs, 1 of all, {time.monotonic() - started:.0f} s", file=sys.stderr)
    print(f"resident MB at begin and end: {growth}", file=sys.stderr)
    config = folder / "config.yaml"
    worlds.run(config, "interaction_features")
    store = worlds.store_of(config)
    assert store.parts() == names
    clean = folder / "clean"
    (clean / "raw").mkdir(parents=True)
    shutil.copytree(folder / "spare", clean / "raw" / "train")
    shutil.copytree(folder / "raw" / "validation", clean / "raw" / "validation")
    worlds.run(worlds.write_config(clean), "interaction_features")
    assert made(store) == made(worlds.store_of(clean / "config.yaml"))
    assert not [path for path in (folder / "data").rglob("*") if path.name.startswith((".tmp-", "duckdb_temp_"))]
    assert soak.killed > KILLS // 2
    for before, after in growth:
        assert all(after[name] - before[name] < MOST_GROWTH_MB for name in SERVERS), (before, after)
