"""How often the chains of a fit sweep over the rows."""

from dataclasses import dataclass
from typing import Self

from engage_pipeline.settings.features import EffectSettings

LEAST_SWEEPS = 15
"""On a world of 258,000 rows the effects alone reach 48.6 % of the oracle's RCE by 60 sweeps. 15 cost 1.6 points, 8
cost 3.5; those that decide, of which a third is kept, lose 3.6 and 7.5 (ADR 35)."""
PUBLISHED_CHAINS = 3
"""So many short chains predict better together than one as long as all of them (ADR 43)."""


def enough_sweeps(wanted: int, rows: int, row_sweeps: int) -> int:
    """Returns how many of the `wanted` sweeps are made over `rows` rows: so many that rows x sweeps reach `row_sweeps`.

    The time of a sweep grows with the rows, and the later sweeps of a chain add least: those are left out first. From
    LEAST_SWEEPS on time grows with the rows again. Fewer are made only where fewer are wanted.
    """
    return min(wanted, max(LEAST_SWEEPS, -(-row_sweeps // max(rows, 1))))


@dataclass(frozen=True)
class Sweeps:
    """Numbers of sweeps: `settling` of the training rows; then of later chains those that are kept, `kept` by those of
    all rows together. Each later chain begins where another one ended.
    """

    settling: int
    kept: int

    @classmethod
    def of(cls, rows: int, settings: EffectSettings) -> Self:
        """The sweeps for a fit of `rows` rows."""
        settling, kept = (
            enough_sweeps(wanted, rows, settings.row_sweeps) for wanted in (settings.sweeps, settings.kept_sweeps)
        )
        return cls(settling, kept)

    @property
    def of_fold(self) -> tuple[int, int]:
        """Sweeps that the chain without a fold throws away, and a third of `kept`, as its scores serve one fold."""
        return self.settling // 4, -(-self.kept // 3)

    @property
    def published(self) -> tuple[int, int]:
        """Sweeps that each of the PUBLISHED_CHAINS throws away, and that it keeps."""
        return -(-self.settling // 8), -(-self.kept // PUBLISHED_CHAINS)

    def total(self, folds: int, *, settled: bool, refit: bool) -> int:
        """Returns the sweeps of a fit: until it has `settled`, of `folds` that leave rows out, of all if `refit`."""
        published = refit * PUBLISHED_CHAINS * sum(self.published)
        return settled * self.settling + folds * sum(self.of_fold) + published

    def reason(self, total: int, rows: int, settings: EffectSettings) -> str:
        """Returns a line for the log: the number of sweeps of all chains together, and why it is not another one."""
        text = f"{total:,} sweeps of {rows:,} rows, {self.settling} to settle and {self.kept} kept"
        if (self.settling, self.kept) == (settings.sweeps, settings.kept_sweeps):
            return f"{text}, as effects.sweeps and effects.kept_sweeps say"
        return (
            f"{text} instead of {settings.sweeps} and {settings.kept_sweeps}: "
            f"effects.row_sweeps is {settings.row_sweeps:,}, and {LEAST_SWEEPS} are the least"
        )
