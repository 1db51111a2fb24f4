"""The rule of promotion: scores candidate and current model on the same holdout rows, and decides which one predicts.

The scores are paired: both models see the same rows, and the same viewers are drawn for both (metrics.intervals). So
the interval of their difference is far narrower than those of the scores. ADR 13 gives the reasons for the rule.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engage_pipeline import metrics, plurals, schema
from engage_pipeline.errors import UserError
from engage_pipeline.model.bundle import TrainedModel
from engage_pipeline.model.evaluation.holdout import Holdout, score_holdout
from engage_pipeline.model.promotion.facts import CANDIDATE, DifferenceFigures
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.store import Version

MEAN = metrics.MEAN
CANT_TELL = "no engagement has both kinds of holdout rows"


@dataclass(frozen=True)
class HoldoutScore:
    """RCE on the holdout rows, percent, by engagement (None = no score), and their `mean`; None with a `problem`.

    `draws` are the RCE of each bootstrap draw [draws, 4], in the order of TARGETS; None if unknown. `ap` is the average
    precision by engagement, and the mean; `shares` are the shares of positives by engagement. `holdout` are the rows
    that were scored, with the probabilities of the model CANDIDATE. The means are those of the engagements `counted`:
    of those with few of a class (metrics.few_of_a_class) chance would decide.
    """

    rce: Mapping[str, float | None]
    mean: float | None
    problem: str = ""
    draws: NDArray[np.float64] | None = field(default=None, compare=False)
    ap: Mapping[str, float | None] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)
    holdout: Holdout | None = field(default=None, compare=False, repr=False)
    counted: Sequence[str] = schema.TARGETS

    def words(self) -> str:
        """Returns such as `mean RCE 12.50 on the holdout`."""
        few = [name for name, one in self.rce.items() if one is not None and name not in self.counted]
        without = f" without {', '.join(few)} (fewer than {metrics.LEAST_OF_A_CLASS} of a class)" if few else ""
        return f"mean RCE {metrics.format_value(self.mean, 'rce')} on the holdout{without}"

    def mean_of(self, draws: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the mean of `draws` [draws, 4] over the engagements that are counted, [draws]."""
        return metrics.mean_draws(draws[:, [name in self.counted for name in schema.TARGETS]])

    def figures(self) -> dict[str, float | None]:
        """Returns the RCE by engagement, and the mean."""
        return {**self.rce, MEAN: self.mean}

    def beats_the_constant(self) -> bool:
        """Returns whether the mean RCE is above 0, the score of the constant rate."""
        return self.mean is not None and self.mean > 0


@dataclass(frozen=True)
class Difference:
    """RCE of the candidate minus that of the model before, on the same rows: mean, and by engagement with intervals."""

    mean: float
    interval: metrics.Interval | None
    engagements: Mapping[str, tuple[float, metrics.Interval | None]]

    @property
    def highest(self) -> float:
        """The upper end of the interval; the difference itself if no interval is known."""
        return self.mean if self.interval is None else self.interval[1]

    def words(self) -> str:
        """Returns such as `difference -0.50, 95 % interval -1.20 to 0.10`."""
        bounds = "" if self.interval is None else f", 95 % interval {metrics.format_interval(self.interval, 'rce')}"
        return f"difference {metrics.format_value(self.mean, 'rce')}{bounds}"

    def figures(self) -> dict[str, DifferenceFigures]:
        """Returns value and interval, by engagement and for the mean."""
        return {
            name: DifferenceFigures(rce=value, interval=interval)
            for name, (value, interval) in {**self.engagements, MEAN: (self.mean, self.interval)}.items()
        }


@dataclass(frozen=True)
class Decision:
    """Whether the candidate predicts from now on, and the reason in words."""

    promoted: bool
    words: str


def score_version(version: Version, features: Path, settings: Settings) -> HoldoutScore:
    """Scores the model of a bundle on the holdout rows of `features`; a model that can't be scored gets a problem."""
    try:
        model = TrainedModel.load(version, settings.engine.threads, settings.engine.device, decided=True)
        counted = model.reads_scored_file
        holdout = score_holdout(features, lambda table: {CANDIDATE: model.probabilities(table)}, scored_file=counted)
    except UserError as error:
        return HoldoutScore(dict.fromkeys(schema.TARGETS), None, str(error))
    probabilities = holdout.probabilities[CANDIDATE]
    scores = metrics.score(holdout.labels, probabilities, holdout.followers, edges=settings.evaluation.follower_edges)
    cases = {name: one.overall for name, one in scores.engagements.items()}
    scored, few = [name for name, one in cases.items() if one.rce is not None], metrics.few_of_a_class(scores)
    deciding = [name for name in scored if name not in few] or scored
    means = metrics.average(cases[name] for name in deciding)
    return HoldoutScore(
        {name: one.rce for name, one in cases.items()},
        means.rce,
        problem="" if deciding else CANT_TELL,
        draws=metrics.rce_draws(holdout.labels, probabilities, holdout.viewers),
        ap={**{name: one.ap for name, one in cases.items()}, MEAN: means.ap},
        shares=dict(zip(schema.TARGETS, holdout.labels.mean(axis=0).tolist(), strict=True)),
        holdout=holdout,
        counted=deciding,
    )


def difference(candidate: HoldoutScore, current: HoldoutScore) -> Difference | None:
    """Returns how the two differ on the same rows; None if one of them has no score."""
    if candidate.mean is None or current.mean is None:
        return None
    return _difference(candidate, current, candidate.mean - current.mean)


def _difference(candidate: HoldoutScore, current: HoldoutScore, mean: float) -> Difference:
    draws = None
    if candidate.draws is not None and current.draws is not None:
        draws = candidate.draws - current.draws
    engagements = {}
    for place, name in enumerate(schema.TARGETS):
        one, other = candidate.rce[name], current.rce[name]
        if one is not None and other is not None:
            engagements[name] = (one - other, None if draws is None else metrics.interval(draws[:, place]))
    interval = None if draws is None else metrics.interval(candidate.mean_of(draws))
    return Difference(mean, interval, engagements)


def judge_first(candidate: HoldoutScore, least: float | None) -> Decision:
    """Decides on a first model: it predicts if its mean RCE is above `least` (0 = the constant rate); None = always.

    A model that can't be scored stays a candidate.
    """
    if least is None:
        return Decision(True, "promoted: no model predicted before")
    if candidate.problem == CANT_TELL:
        return Decision(False, f"turned down: {CANT_TELL}, so nothing shows that it beats the constant rate")
    if candidate.mean is None:
        return Decision(False, f"turned down: it can't be scored ({candidate.problem})")
    if candidate.mean <= least:
        bound = (
            "must beat the constant rate of these rows, which has 0" if least == 0 else f"must have more than {least:g}"
        )
        return Decision(False, f"turned down: {candidate.words()}{_noise(candidate)}, and a first model {bound}")
    return Decision(True, "promoted: no model predicted before")


def _noise(candidate: HoldoutScore) -> str:
    """Returns such as ` (190 rows, 95 % interval -6.83 to 5.37)`; empty if the draws are unknown."""
    found = None if candidate.draws is None else metrics.interval(candidate.mean_of(candidate.draws))
    if found is None:
        return ""
    rows = "" if candidate.holdout is None else f"{plurals.counted(len(candidate.holdout.viewers), 'row')}, "
    return f" ({rows}95 % interval {metrics.format_interval(found, 'rce')})"


def compare(candidate: HoldoutScore, current: HoldoutScore, tolerance: float) -> Decision:
    """Promotes the candidate unless it is worse than the current model by more than `tolerance`, beyond noise.

    Beyond noise means that the whole interval of the difference is below -`tolerance`. For a candidate that does not
    beat the constant rate, the difference itself counts instead. If the holdout rows allow no score, the current model
    stays. A current model that can't be scored for another reason is replaced; a candidate that can't be scored does
    not replace one that can.
    """
    if current.problem == CANT_TELL:
        return Decision(False, f"turned down: {CANT_TELL}, so that nothing can be compared")
    if current.mean is None:
        return Decision(True, f"promoted: the model before can't be scored ({current.problem})")
    if candidate.mean is None:
        return Decision(False, f"turned down: it can't be scored ({candidate.problem})")
    found = _difference(candidate, current, candidate.mean - current.mean)
    scores = candidate.words()
    before = f"the model before has {current.mean:.2f}, scored anew on the same rows and counters ({found.words()})"
    allowed = found.highest if candidate.beats_the_constant() else found.mean
    if allowed < -tolerance:
        return Decision(False, f"turned down: {scores}; {before}: lower by more than the tolerance of {tolerance:g}")
    return Decision(True, f"promoted: {scores}; {before}{_why_lower_is_enough(found, tolerance)}")


def _why_lower_is_enough(found: Difference, tolerance: float) -> str:
    """Returns why a candidate with a lower mean is promoted; empty if its mean is not lower."""
    if found.mean < -tolerance:
        return (
            f": lower by more than the tolerance of {tolerance:g}, but that may be chance, as the interval ends above "
            f"{-tolerance:g}"
        )
    return f": lower, but by no more than the tolerance of {tolerance:g}" if found.mean < 0 else ""
