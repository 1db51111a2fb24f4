"""How many threads fit what is learned, whatever the cores of the machine: what is learned depends on it.

torch and BLAS cut their sums by thread, so another number of threads gives other last digits, and training makes them
grow. torch works on as many threads as the setting `training_threads` says, on which artifacts therefore depend; more
of them than cores cost a tenth more time, fewer leave cores idle while the networks train. BLAS works on one: its
threads spin while they wait, and four of them on one core took seven times as long as one.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from engage_pipeline.config import Settings

_P = ParamSpec("_P")
_T = TypeVar("_T")


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """BLAS works on one thread within the block, or within the function that this decorates."""
    import scipy.linalg  # noqa: F401 - brings a BLAS of its own, which is limited only once it is loaded
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """torch works on `count` threads within the block."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def training_threads(settings: Settings) -> Iterator[None]:
    """torch works on `training_threads` threads within the block, and BLAS on one."""
    with one_blas_thread(), torch_threads(settings.training_threads):
        yield


def on_training_threads(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Decorates a function that has a parameter `settings`: all of it is done within `training_threads`."""
    signature = inspect.signature(function)

    @wraps(function)
    def limited(*values: _P.args, **named: _P.kwargs) -> _T:
        settings: Any = signature.bind(*values, **named).arguments["settings"]
        with training_threads(settings):
            return function(*values, **named)

    return limited
