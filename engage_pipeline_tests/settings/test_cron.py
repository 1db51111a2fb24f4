"""`automation.nightly_cron`: what is accepted is a schedule that Dagster loads and that comes; all else is named."""

import random

import pytest
from dagster._utils.schedules import is_valid_cron_schedule, schedule_execution_time_iterator

from engage_pipeline.settings.cron import check_cron

NUMBERS = range(65)
SAID = {
    "99 99 * * *": "'99': no such minute (0 to 59)",
    "61 3 * * *": "'61': no such minute (0 to 59)",
    "0 25 * * *": "'25': no such hour (0 to 23)",
    "0 3 * * 8": "'8': no such weekday (0 to 7)",
    "a b c d e": "'a': no such minute (0 to 59)",
    "*/0 * * * *": "'*/0': no such minute (0 to 59)",
    "0 3 30 2 *": "no such day in any of the months",
    "0 3 0 * *": "'0': no such day (1 to 31)",
    "0 3 * 13 *": "'13': no such month (1 to 12)",
    "0 3,, * * *": "'': no such hour (0 to 23)",
    "0 3 *-5 * *": "'*-5': no such day (1 to 31)",
    "0 3 5-40 * *": "'5-40': no such day (1 to 31)",
    "0 3 * jan,sun *": "'sun': no such month (1 to 12)",
    "l 3 * * *": "'l': no such minute (0 to 59)",
    "0 3 * * sat#6": "'sat#6': no such weekday (0 to 7)",
    "0 3 * * xyz#2": "'xyz#2': no such weekday (0 to 7)",
    "٣ 3 * * *": "'٣': no such minute (0 to 59)",
    f"{'9' * 5000} 3 * * *": f"'{'9' * 20}': no such minute (0 to 59)",
}
"""Schedules that can't be, and what is said of them."""
GOOD = (
    "0 3 * * *",
    "*/15 8-18 * * mon-fri",
    "0 22-2 * * *",
    "00 03 1,15 * *",
    "0 3 29 2 *",
    "0 3 31 jan,4 *",
    "0 3 L * *",
    "0 3 ? * ?",
    "0 3 * * sat#2",
    "0 3 * * l5",
    "0 3 * * sat#2,l5,1#1",
    "5/10 * * JAN-mar Mon-1",
    "*/90 * */40 * 0-7",
)


@pytest.mark.parametrize("schedule", GOOD)
def test_what_is_accepted_is_due_some_day(schedule: str) -> None:
    check_cron(schedule)
    assert is_valid_cron_schedule(schedule)
    assert next(schedule_execution_time_iterator(1.6e9, schedule, "UTC")).year < 2030


@pytest.mark.parametrize(("schedule", "said"), SAID.items(), ids=lambda text: text[:20])
def test_what_can_not_be_is_named(schedule: str, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        check_cron(schedule)
    assert str(caught.value) == said


@pytest.mark.parametrize("schedule", ["0 3 31 4 *", "0 3 30-31 2 *", "0 3 31 2,4,6 *"])
def test_a_day_that_none_of_the_months_has_is_refused_although_dagster_loads_it(schedule: str) -> None:
    assert is_valid_cron_schedule(schedule)
    with pytest.raises(ValueError, match="no such day"):
        check_cron(schedule)


def accepted(schedule: str) -> bool:
    try:
        check_cron(schedule)
    except ValueError:
        return False
    return True


def test_no_schedule_is_accepted_that_dagster_refuses() -> None:
    """And none is refused that Dagster accepts, but for a day that never comes, and for ranges to a day or month 0."""
    rng = random.Random(1)
    words = ("*", "?", "l", "mon", "sun", "jan", "l5", "sat#2", "x", *map(str, NUMBERS))

    def item() -> str:
        text = rng.choice(words) if rng.random() < 0.7 else rng.choice("*0123456789")
        text += f"-{rng.choice(NUMBERS)}" if rng.random() < 0.2 else ""
        return text + (f"/{rng.randrange(4)}" if rng.random() < 0.2 else "")

    both = {True: 0, False: 0}
    for _ in range(6000):
        fields = ["0", "3", "*", "*", "*"]
        fields[rng.randrange(5)] = ",".join(item() for _ in range(rng.choice((1, 1, 2))))
        schedule = " ".join(fields)
        if "-0" not in fields[2] + fields[3]:
            assert accepted(schedule) == is_valid_cron_schedule(schedule), schedule
        both[accepted(schedule)] += 1
    assert min(both.values()) > 1000
