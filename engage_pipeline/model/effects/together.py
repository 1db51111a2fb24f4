"""Several short chains: of the same rows they predict better together than one as long as all of them (ADR 43).

Chains don't read each other, so that each may have a thread to itself: threads that share one wait for each other in
every pass, of few rows most of the time. What belongs here: running and adding up the chains. What does not: which rows
(training), a chain's sweeps (chain).
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock
from typing import Self, TypeVar

from engage_pipeline.model.effects.chain import Chain
from engage_pipeline.model.effects.row_state import Weights

_T = TypeVar("_T")


class Together:
    """Runs `at_once` chains at a time, which share `threads` threads; what each draws depends on neither.

    `advance` is told of each sweep. The state of chains is in files of `folder`, then one at a time; None = in memory.
    """

    def __init__(self, folder: Path | None, advance: Callable[[int], object], threads: int, at_once: int) -> None:
        """Starts nothing."""
        self._folder, self._advance = folder, advance
        self._threads = max(1, threads // at_once)
        self._pool = ThreadPoolExecutor(at_once)
        self._stopped, self._one = Event(), Lock()

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stops what still runs, which is nothing unless something failed."""
        self._stopped.set()
        self._pool.shutdown(cancel_futures=True)

    def begin(
        self,
        start: Chain,
        weights: Weights,
        seed: int,
        sweeps: tuple[int, int],
        name: str,
        *,
        learn: bool,
        then: Callable[[Chain], _T],
    ) -> Future[_T]:
        """Begins a chain where `start` ended, with `weights`, once those begun before leave a place; returns what
        `then` returns of it.

        Its first `sweeps` are thrown away, and the second kept. Files are in a folder `name`, and replace those of a
        chain of that name, which nothing may read any more.
        """

        def run() -> _T:
            folder = None if self._folder is None else self._folder / name
            with self._one:  # `start` settles when it branches
                chain = start.branch(weights, seed, folder, self._threads)
            burnt, kept = sweeps
            for number in range(burnt + kept):
                if self._stopped.is_set():
                    raise InterruptedError
                chain.sweep(keep=number >= burnt, learn=learn)
                with self._one:
                    self._advance(1)
            return then(chain)

        return self._pool.submit(run)


def add_kept(chain: Chain, another: Chain) -> None:
    """Adds what another chain of the same rows has kept: scores and intercepts are then the means of both."""
    for own, more in zip(chain.keys, another.keys, strict=True):
        own.add_sums(more)
    chain.bases += another.bases
    chain.kept_covariances = chain.kept_covariances + another.kept_covariances
    chain.kept += another.kept
