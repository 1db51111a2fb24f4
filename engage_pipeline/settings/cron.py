"""Which cron schedules can be: five fields that Dagster accepts, and a day that comes. Cron is read by Dagster alone.

A mistake here would keep Dagster from loading the definitions. What does not belong here: when a schedule is next due.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_MOST_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""Days of each month, of February in a leap year."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LAST_DAY = "l"
_ITEM = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>[0-9]{1,3}))?", re.ASCII)
_WEEKDAY_OF_MONTH = re.compile(rf"(?:{'|'.join(_WEEKDAYS)}|[0-7])#[1-5]|l[0-7]")
"""Such as `sat#2`, the second Saturday of a month, and `l5`, its last Friday. Other days can't stand beside them."""


@dataclass(frozen=True)
class _Field:
    """A field of a schedule: its lowest and highest number, and names that stand for the numbers from `least` on."""

    title: str
    least: int
    most: int
    names: Sequence[str] = ()

    def values(self, text: str) -> set[int]:
        """Returns the numbers that a comma-separated list means. Raises ValueError if an item can't be."""
        if text == "?" and self.title in {"day", "weekday"}:
            return set(range(self.least, self.most + 1))
        items = text.lower().split(",")
        if self.names is _WEEKDAYS and all(map(_WEEKDAY_OF_MONTH.fullmatch, items)):
            return set(range(self.least, self.most + 1))
        return set().union(*map(self._item, items))

    def _item(self, item: str) -> set[int]:
        if self.title == "day" and item == _LAST_DAY:
            return {self.least}
        found = _ITEM.fullmatch(item)
        step = 1 if found is None or found["step"] is None else int(found["step"])
        if found is None or step == 0 or (found["first"] == "*" and found["last"] is not None):
            raise self._wrong(item)
        first = self.least if found["first"] == "*" else self._number(found["first"], item)
        only = found["step"] is None and found["first"] != "*"
        last = self._number(found["last"], item) if found["last"] else first if only else self.most
        every = range(self.least, self.most + 1)
        span = [*range(first, last + 1)] or [*every[first - self.least :], *every[: last - self.least + 1]]
        return set(span[::step])

    def _number(self, text: str, item: str) -> int:
        if text in self.names:
            return self.least + self.names.index(text)
        if not re.fullmatch("[0-9]{1,2}", text) or not self.least <= int(text) <= self.most:
            raise self._wrong(item)
        return int(text)

    def _wrong(self, item: str) -> ValueError:
        return ValueError(f"{item[:20]!r}: no such {self.title} ({self.least} to {self.most})")


_DAY, _MONTH = _Field("day", 1, 31), _Field("month", 1, 12, _MONTHS)
_FIELDS = (_Field("minute", 0, 59), _Field("hour", 0, 23), _DAY, _MONTH, _Field("weekday", 0, 7, _WEEKDAYS))


def check_cron(schedule: str) -> None:
    """Raises ValueError unless `schedule`, five fields between single spaces, can be: `0 3 * * *`, `*/15 8-18 * * mon`.

    A day that none of the months has, such as February 30, is a mistake too.
    """
    values = {field: field.values(text) for field, text in zip(_FIELDS, schedule.split(" "), strict=True)}
    if min(values[_DAY]) > max(_MOST_DAYS[month - 1] for month in values[_MONTH]):
        raise ValueError("no such day in any of the months")
