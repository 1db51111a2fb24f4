"""The number of threads of torch, BLAS and pyarrow.

torch and BLAS split their sums by thread, so another number of threads gives other last digits, and training amplifies
them. So torch uses `training_threads` threads, whatever the machine's cores; artifacts depend on that setting. More of
them than cores cost a tenth more time, fewer leave cores idle while the networks train. BLAS uses one: its threads spin
while they wait, and four of them on one core took seven times as long as one.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import pyarrow as pa

from engage_pipeline.settings.settings import Settings

LEAST_IO_THREADS = 2
"""Arrow's dataset of an IPC file waits, in its one IO thread, for another: with one alone it never counts its rows."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limits BLAS to one thread within the block, or within the decorated function."""
    import scipy.linalg  # noqa: F401 - has a BLAS of its own, which can be limited only once it is loaded
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


def limit_blas(threads: int | None) -> None:
    """Limits BLAS to so many threads for the rest of the process; None = no change."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads, user_api="blas")


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Makes torch use `count` threads within the block."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def training_threads(settings: Settings) -> Iterator[None]:
    """Makes torch use `training_threads` threads within the block, and BLAS one."""
    with one_blas_thread(), torch_threads(settings.training_threads):
        yield


def on_training_threads(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Decorates a function with a parameter `settings`: it runs within `training_threads`."""
    signature = inspect.signature(function)

    @wraps(function)
    def limited(*values: _P.args, **named: _P.kwargs) -> _T:
        settings: Any = signature.bind(*values, **named).arguments["settings"]
        with training_threads(settings):
            return function(*values, **named)

    return limited


@contextmanager
def arrow_threads(count: int) -> Iterator[None]:
    """Makes pyarrow compute in `count` threads within the block, and read in as many, but at least LEAST_IO_THREADS."""
    before = pa.cpu_count(), pa.io_thread_count()
    pa.set_cpu_count(count)
    pa.set_io_thread_count(max(count, LEAST_IO_THREADS))
    try:
        yield
    finally:
        pa.set_cpu_count(before[0])
        pa.set_io_thread_count(before[1])


@contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """Limits pyarrow and torch to `threads` threads each within the block; None = no change.

    DuckDB and LightGBM get their number with each call.
    """
    if threads is None:
        yield
        return
    import torch

    with suppress(RuntimeError):  # torch refuses once it has worked in parallel
        torch.set_num_interop_threads(threads)
    with arrow_threads(threads), torch_threads(threads):
        yield
