"""As many threads for whatever is fitted as the settings say, whatever the cores: what is learned depends on it.

torch and BLAS cut their sums by thread, so another number of threads gives other last digits, and training makes them
grow. The setting `training_threads` is therefore one that artifacts depend on, and neither engine.threads nor the cores
of the machine count. More threads than cores cost a tenth more time, fewer leave cores idle while the networks train.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from engage_pipeline.config import Settings

_P = ParamSpec("_P")
_T = TypeVar("_T")


@contextmanager
def training_threads(settings: Settings, *, torch: bool = False) -> Iterator[None]:
    """BLAS works on `training_threads` threads within the block, and with `torch` so does torch."""
    import scipy.linalg  # noqa: F401 - brings a BLAS of its own, which is limited only once it is loaded
    from threadpoolctl import threadpool_limits

    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(settings.training_threads, user_api="blas"))
        if torch:
            stack.enter_context(torch_threads(settings.training_threads))
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


def on_training_threads(*, torch: bool = False) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Decorates a function that has a parameter `settings`: all of it is done within `training_threads`."""

    def decorate(function: Callable[_P, _T]) -> Callable[_P, _T]:
        signature = inspect.signature(function)

        @wraps(function)
        def limited(*values: _P.args, **named: _P.kwargs) -> _T:
            settings: Any = signature.bind(*values, **named).arguments["settings"]
            with training_threads(settings, torch=torch):
                return function(*values, **named)

        return limited

    return decorate
