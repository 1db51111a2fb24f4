"""Runs the tests of mutations in scratch copies of the sources, several at a time.

What belongs here: copies, processes, progress. What does not: the list (areas), and what is told at the end (outcomes).
"""

import compileall
import py_compile
import queue
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from engage_pipeline_tests.mutants.fresh_pytest import run_tests
from engage_pipeline_tests.mutants.mutation import PACKAGE, TESTS, Mutation
from engage_pipeline_tests.mutants.outcomes import KILLED, NOT_APPLIED, SURVIVED, Outcome, Record

SECONDS = 300.0
"""After which the tests of a mutation are ended; they have noticed it then: it never ends."""
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "data", "__pycache__", ".*_cache", ".hypothesis", "storage", "*.egg-info"
)
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
_TESTS_FAILED = 1
"""Exit status of pytest; any other than this and 0 says that the tests were not run."""


def copy_sources(root: Path, scratch: Path) -> None:
    """Copies the repository at `root` without what is no source. Bytecode is checked by content, not by time."""
    shutil.copytree(root, scratch, ignore=_LEFT_OUT)
    for folder in (PACKAGE, TESTS):
        checked = py_compile.PycInvalidationMode.CHECKED_HASH
        compileall.compile_dir(scratch / folder, quiet=2, invalidation_mode=checked)


def judge(scratch: Path, mutation: Mutation, seconds: float) -> Outcome:
    """Applies one mutation in the copy `scratch`, runs its tests, and takes it back."""
    started = time.monotonic()
    if problem := mutation.problem(scratch):
        return Outcome(NOT_APPLIED, problem, 0.0)
    with mutation.applied(scratch):
        status, output = run_tests(scratch, mutation.test_ids, seconds)
    took = round(time.monotonic() - started, 1)
    failed = _FAILED.search(output)
    if status is None:
        return Outcome(KILLED, f"its tests did not end within {seconds:g} s", took)
    if status == 0:
        return Outcome(SURVIVED, mutation.tests, took)
    if status == _TESTS_FAILED and failed:
        return Outcome(KILLED, failed[1], took)
    return Outcome(NOT_APPLIED, f"pytest ended with {status}: {' '.join(output.split())[-300:]}", took)


class Campaign:
    """Mutations of the repository at `root`; outcomes that `record` has are taken from there."""

    def __init__(self, root: Path, record: Record, folder: Path, seconds: float = SECONDS) -> None:
        """Copies of the sources go into the empty folder `folder`; tests that take more than `seconds` are ended."""
        self._root, self._record, self._folder, self._seconds = root, record, folder, seconds
        self._copies: queue.SimpleQueue[Path] = queue.SimpleQueue()

    def run(self, mutations: Sequence[Mutation], jobs: int) -> list[Outcome]:
        """The outcome of each. Raises RuntimeError where a test fails without any mutation."""
        found = {place: known for place, one in enumerate(mutations) if (known := self.known(one))}
        waiting = [place for place in range(len(mutations)) if place not in found]
        self._make_copies(jobs)
        progress = _Progress(len(waiting))
        with ThreadPoolExecutor(jobs) as pool:
            chosen = [mutations[place] for place in waiting]
            for place, outcome in zip(waiting, pool.map(self._judge, chosen), strict=True):
                found[place] = self._noted(mutations[place], outcome)
                progress.tell(mutations[place], outcome)
        self._check_killers([outcome for outcome in found.values() if outcome.status == KILLED])
        return [found[place] for place in range(len(mutations))]

    def _make_copies(self, count: int) -> None:
        for number in range(count):
            copy_sources(self._root, self._folder / str(number))
            self._copies.put(self._folder / str(number))

    def known(self, mutation: Mutation) -> Outcome | None:
        """The recorded outcome, if neither the mutated file nor the tests that it rests on have changed since."""
        if mutation.problem(self._root):
            return None
        outcome = self._record.find(mutation.key(self._root))
        holds = outcome and outcome.tests == mutation.tests_digest(self._root, outcome.killer)
        return outcome if holds else None

    def _noted(self, mutation: Mutation, outcome: Outcome) -> Outcome:
        """The outcome with what it rests on, recorded unless the mutation could not be applied."""
        if outcome.status == NOT_APPLIED:
            return outcome
        noted = replace(outcome, tests=mutation.tests_digest(self._root, outcome.killer))
        self._record.add(mutation.key(self._root), noted)
        return noted

    def _judge(self, mutation: Mutation) -> Outcome:
        with self._copy() as scratch:
            return judge(scratch, mutation, self._seconds)

    @contextmanager
    def _copy(self) -> Iterator[Path]:
        scratch = self._copies.get()
        try:
            yield scratch
        finally:
            self._copies.put(scratch)

    def _check_killers(self, killed: Sequence[Outcome]) -> None:
        """A test that fails anyway kills nothing."""
        tests = sorted({outcome.killer.partition("[")[0] for outcome in killed if outcome.killer})
        print(f"{len(tests)} tests that killed one, without a mutation", flush=True)
        with self._copy() as scratch:
            status, output = run_tests(scratch, tests, 10 * SECONDS) if tests else (0, "")
        if status != 0:
            raise RuntimeError(f"without a mutation the tests end with {status}:\n{output[-2000:]}")


class _Progress:
    """A line an outcome, with the time left."""

    def __init__(self, count: int) -> None:
        self._count, self._done, self._started = count, 0, time.monotonic()

    def tell(self, mutation: Mutation, outcome: Outcome) -> None:
        """One more is done."""
        self._done += 1
        left = (time.monotonic() - self._started) / self._done * (self._count - self._done)
        print(
            f"{self._done}/{self._count}, {left / 60:.0f} min left: {outcome.status} in {outcome.seconds:.0f} s: "
            f"{mutation.title} ({outcome.detail})",
            flush=True,
        )
