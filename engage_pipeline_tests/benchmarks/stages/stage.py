"""A stage of the benchmarks: it opens its inputs, yields the work whose time and memory count, and publishes."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from engage_pipeline_tests.benchmarks.world import World


@dataclass(frozen=True)
class Done:
    """Rows worked, and what else an aim asks about: `figures` by name."""

    rows: int
    figures: dict[str, float] = field(default_factory=dict)


Work = Callable[[], Done]
Stage = Callable[[World], AbstractContextManager[Work]]
