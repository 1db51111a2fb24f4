"""Progress of long work: a tqdm bar on a terminal, else a log line every few seconds with rate and time left.

Dagster shows the log lines in its UI, because dagster.yaml lets it manage the logger `engage_pipeline`.
"""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from tqdm import tqdm

LOGGER = logging.getLogger("engage_pipeline")
SECONDS_BETWEEN_LINES = 10.0
_bars = True


def show_lines_only() -> None:
    """Makes this process draw no bars: those of several processes would overwrite each other."""
    global _bars  # noqa: PLW0603
    _bars = False


class Progress:
    """Counts how many of `total` `unit`s (None = unknown) of the work `name` are done."""

    def __init__(self, name: str, total: int | None, unit: str) -> None:
        """Starts the clock."""
        self.name, self.total, self.unit = name, total, unit
        self.done = 0
        self._started = self._last = time.monotonic()
        self._bar = (
            tqdm(total=total, desc=name, unit=f" {unit}", leave=False) if _bars and sys.stderr.isatty() else None
        )

    def advance(self, count: int, note: str = "") -> Self:
        """Counts `count` more; `note` is shown beside the count, such as a loss."""
        self.done += count
        now = time.monotonic()
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(count)
        elif now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            LOGGER.info("%s", self._line(now, note))
        return self

    def _line(self, now: float, note: str) -> str:
        rate = self.done / max(now - self._started, 1e-9)
        line = f"{self.name}: {self.done:,}"
        if self.total:
            left = max(self.total - self.done, 0) / max(rate, 1e-9)
            line += f" of {self.total:,} {self.unit}, {_shown(rate)} a second, {left:,.0f} s left"
        else:
            line += f" {self.unit}, {_shown(rate)} a second"
        return f"{line}, {note}" if note else line

    def stop(self) -> None:
        """Ends the bar: the work failed or was given up, and what ended it tells more than a total."""
        if self._bar is not None:
            self._bar.close()

    def close(self) -> None:
        """Ends the bar, and logs the total and its time."""
        seconds = time.monotonic() - self._started
        self.stop()
        LOGGER.info("%s: %s %s in %.1f s", self.name, f"{self.done:,}", self.unit, seconds)


def _shown(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}" if rate >= 1 else f"{rate:.1g}"


@contextmanager
def progress(name: str, total: int | None, unit: str = "rows") -> Iterator[Progress]:
    """Yields a Progress that is closed when the block ends, and only stopped where it raises."""
    tracker = Progress(name, total, unit)
    try:
        yield tracker
    except BaseException:
        tracker.stop()
        raise
    tracker.close()
