"""Windows: stretches of days whose tweets and rows are drawn together."""

from dataclasses import dataclass

DAY, HOUR = 86_400, 3_600
TRAINING_START = 1_612_396_800
"""2021-02-04, 00:00 UTC: day 0."""
TRAINING_DAYS, EVALUATION_DAYS = 21, 7
MOST_DAYS = 365
LAST_SECONDS = 60
"""No tweet is written in its window's last 60 seconds, so that each label has a probability above 0."""


@dataclass(frozen=True)
class Window:
    """`rows` rows of tweets of the days `first_day` … `first_day` + `days` - 1."""

    first_day: int
    days: int
    rows: int
    grace: int = 0
    """Days after the window's end in which engagements are still seen."""

    @property
    def start(self) -> int:
        """The first second, in Unix time."""
        return TRAINING_START + self.first_day * DAY

    @property
    def end(self) -> int:
        """The first second after the window."""
        return self.start + self.days * DAY

    @property
    def seen_until(self) -> int:
        """The second from which on no engagement is seen."""
        return self.end + self.grace * DAY
