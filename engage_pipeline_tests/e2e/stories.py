"""Scenarios that go on at the same time on one instance, as its users do: most of their time is waiting.

A story is a test's body. It is told in a thread of its own as soon as the stories that it comes `after` have ended,
well or not; the test waits for it.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from engage_pipeline_tests import servers
from engage_pipeline_tests.e2e.harness import Dev

Story = Callable[[Dev], None]


class Stories:
    """The stories of a test module. Its fixture `told` must return what `telling` yields."""

    def __init__(self) -> None:
        self._stories: dict[str, Story] = {}
        self._after: dict[str, Sequence[str]] = {}

    def story(self, *after: Callable[..., None]) -> Callable[[Story], Callable[..., None]]:
        """Makes the decorated function a test that waits for the story of this name."""

        def register(story: Story) -> Callable[..., None]:
            name = story.__name__
            self._stories[name] = story
            self._after[name] = [other.__name__ for other in after]

            def test(told: Callable[[str], None]) -> None:
                told(name)

            test.__name__, test.__doc__ = name, story.__doc__
            return test

        return register

    @contextmanager
    def telling(self, dev: Dev, selected: Collection[str]) -> Iterator[Callable[[str], None]]:
        """Starts the stories that the `selected` tests need; yields a function that waits for the one of a name."""
        wanted = self._with_earlier(selected)
        pool = ThreadPoolExecutor(max(len(wanted), 1))
        futures: dict[str, Future[None]] = {}
        for name in (name for name in self._stories if name in wanted):
            futures[name] = pool.submit(self._tell, name, dev, [futures[other] for other in self._after[name]])

        def end_of(name: str) -> None:
            try:
                futures[name].result()
            except Exception as error:
                error.add_note(f"the end of {dev.log}:\n{servers.tail(dev.log)}")
                raise

        try:
            yield end_of
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _tell(self, name: str, dev: Dev, earlier: Sequence[Future[None]]) -> None:
        wait(earlier)
        self._stories[name](dev)

    def _with_earlier(self, names: Collection[str]) -> set[str]:
        found: set[str] = set()
        for name in names:
            if name in self._stories:
                found |= {name, *self._with_earlier(self._after[name])}
        return found
