"""Several fits at a time: each may have a thread to itself.

Threads that share a fit wait for each other in every pass, of few rows most of the time. What belongs here: running
fits. What does not: which rows (training), a fit's sweeps (fitting).
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock
from typing import Self, TypeVar

from engage_pipeline.model.effects.fitting import Fit
from engage_pipeline.model.effects.row_state import Weights

_T = TypeVar("_T")


class Together:
    """Runs `at_once` fits at a time, which share `threads` threads; what each finds depends on neither.

    `advance` is told of each sweep. The state of fits is in files of `folder`, then one at a time; None = in memory.
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

    def begin(self, start: Fit, weights: Weights, sweeps: int, name: str, then: Callable[[Fit], _T]) -> Future[_T]:
        """Begins a fit where `start` ended, with `weights`, once those begun before leave a place; returns what `then`
        returns of it after so many `sweeps`. The last of them learns no covariance, so that variances are of those that
        the fit ends with.

        Files are in a folder `name`, and replace those of a fit of that name, which nothing may read any more.
        """

        def run() -> _T:
            fit = start.branch(weights, None if self._folder is None else self._folder / name, self._threads)
            for left in reversed(range(sweeps)):
                if self._stopped.is_set():
                    raise InterruptedError
                fit.sweep(learn=left > 0, more=left > 0)
                with self._one:
                    self._advance(1)
            fit.rest()
            return then(fit)

        return self._pool.submit(run)
