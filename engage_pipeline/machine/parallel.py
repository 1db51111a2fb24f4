"""Work of several threads whose results come in order, so that what is summed from them has the same last digits."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import TypeVar

_AHEAD = 2
"""Results of each thread that may wait to be taken: so many are in memory."""
_T = TypeVar("_T")
_R = TypeVar("_R")


def in_order(
    work: Callable[[_T], _R],
    items: Iterable[_T],
    threads: int,
    given_up: Event | None = None,
    *,
    caller_works: bool = False,
) -> Iterator[_R]:
    """Yields `work(item)` of each item, in the order of the items, while `threads` threads work on the next ones.

    `work` should spend its time without Python's global lock. What it raises is raised here, and nothing new is begun
    then; `given_up` is set, so that work that takes long may end. One thread is the caller's own; it is one of several,
    too, if `caller_works`, and has as much to do with a result as it took to make.
    """
    if threads == 1:
        yield from map(work, items)
        return
    threads -= caller_works
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[_R]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > _AHEAD * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BaseException:
            if given_up is not None:
                given_up.set()
            raise
        finally:
            for future in waiting:
                future.cancel()
