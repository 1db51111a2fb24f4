"""The challenge's scores: average precision and relative cross entropy, overall and by author follower group.

    scores = score(labels, probabilities, followers, edges=(240, 588, 1331, 3996))
    scores.engagements["like"].overall.rce

Labels bool [n, 4], probabilities float64 [n, 4], both in the order of schema.TARGETS; followers int64 [n], the
follower count of the author, 0 if it is missing. What does not belong here: where rows come from (evaluation,
submission.scoring.report) and how scores are printed (tables).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.plurals import counted

CLIP = 1e-15
"""Probabilities are clipped to this distance from 0 and 1 before taking their logarithm."""

Labels = NDArray[np.bool_]
Probabilities = NDArray[np.float64]
Followers = NDArray[np.int64]
Interval = tuple[float, float]
"""The lower and the upper end of a 95 % bootstrap interval (intervals)."""


@dataclass(frozen=True)
class Score:
    """Scores of some rows for one engagement. `ap` is in [0, 1], `rce` in percent; both null for a `reason`.

    The intervals are null where they were not computed.
    """

    rows: int
    positives: int
    ap: float | None
    rce: float | None
    reason: str | None = None
    ap_interval: Interval | None = None
    rce_interval: Interval | None = None


@dataclass(frozen=True)
class Average:
    """Means of the scores that are not null; null if all of them are. Intervals as in Score."""

    ap: float | None
    rce: float | None
    ap_interval: Interval | None = None
    rce_interval: Interval | None = None


@dataclass(frozen=True)
class EngagementScores:
    """One engagement: all rows, each follower group in order, and the mean over the groups (the fair score)."""

    overall: Score
    groups: tuple[Score, ...]
    group_mean: Average


@dataclass(frozen=True)
class Scores:
    """The scores of one model on one set of rows, by engagement in the order of schema.TARGETS, and their means."""

    edges: tuple[int, ...]
    engagements: dict[str, EngagementScores]
    overall_mean: Average
    group_mean: Average

    def to_json(self) -> dict[str, Any]:
        """Returns the scores as JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Reads the result of `to_json`."""
        engagements = {
            name: EngagementScores(
                Score(**_tupled(one["overall"])),
                tuple(Score(**_tupled(group)) for group in one["groups"]),
                Average(**_tupled(one["group_mean"])),
            )
            for name, one in values["engagements"].items()
        }
        means = Average(**_tupled(values["overall_mean"])), Average(**_tupled(values["group_mean"]))
        return cls(tuple(values["edges"]), engagements, *means)

    def nulls(self) -> list[str]:
        """Returns why scores are null, a line for each reason and its rows, with the engagements, if not all.

        An engagement without a score of all rows has none of any group, which is not said again.
        """
        groups = {name: one for name, one in self.engagements.items() if not one.overall.reason}
        cases = [("all rows and every group", {name: one.overall for name, one in self.engagements.items()})]
        for place, rows in enumerate(group_names(self.edges)):
            cases.append((rows, {name: one.groups[place] for name, one in groups.items()}))
        lines = []
        for rows, scores in cases:
            for reason in dict.fromkeys(one.reason for one in scores.values() if one.reason):
                names = [name for name, one in scores.items() if one.reason == reason]
                lines.append(f"{rows}: {reason}" + (f" ({', '.join(names)})" if len(names) < len(scores) else ""))
        return lines


@dataclass(frozen=True)
class EngagementShare:
    """RCE of a model in percent of the oracle's: all rows, each group, and the ratio of the means over the groups; the
    interval, of all rows, is null where it was not computed."""

    overall: float | None
    groups: tuple[float | None, ...]
    group_mean: float | None
    overall_interval: Interval | None = None


@dataclass(frozen=True)
class OracleShare:
    """Shares by engagement, and their means over the engagements. Null if the oracle has no positive RCE."""

    engagements: dict[str, EngagementShare]
    overall_mean: float | None
    group_mean: float | None
    overall_interval: Interval | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the shares as JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Reads the result of `to_json`."""
        engagements = {name: EngagementShare(**_tupled(one)) for name, one in values["engagements"].items()}
        return cls(**_tupled(values) | {"engagements": engagements})


def score(
    labels: Labels,
    probabilities: Probabilities,
    followers: Followers,
    *,
    edges: Sequence[int],
    source: str = "probabilities",
) -> Scores:
    """Computes AP and RCE of `probabilities`, as docs/specification.md, section 7 defines them.

    Raises UserError, naming `source` and the first wrong row (from 0), if a probability is NaN or outside [0, 1], or if
    the arrays differ in length.
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    _check(labels, probabilities, followers, source)
    groups = follower_groups(followers, edges)
    members = [np.flatnonzero(groups == group) for group in range(len(edges) + 1)]
    engagements = {
        target: _score_engagement(np.asarray(labels[:, i], dtype=np.bool_), probabilities[:, i], members)
        for i, target in enumerate(schema.TARGETS)
    }
    return Scores(
        tuple(edges),
        engagements,
        average(one.overall for one in engagements.values()),
        average(one.group_mean for one in engagements.values()),
    )


def follower_groups(followers: Followers, edges: Sequence[int]) -> NDArray[np.intp]:
    """Returns the group 0 … len(edges) of each follower count; a count on an edge belongs to the upper group."""
    return np.searchsorted(np.asarray(edges, dtype=np.int64), followers, side="right")


def group_names(edges: Sequence[int]) -> list[str]:
    """Returns the names of the follower groups: `<240`, `240-587`, …, `3996+`."""
    if not edges:
        return ["all authors"]
    between = [f"{low}-{high - 1}" for low, high in pairwise(edges)]
    return [f"<{edges[0]}", *between, f"{edges[-1]}+"]


def share_of_oracle(model: Scores, oracle: Scores) -> OracleShare:
    """Computes RCE(model) / RCE(oracle) in percent, both of the same rows; the oracle has the true probabilities."""
    engagements = {}
    for name, one in model.engagements.items():
        best = oracle.engagements[name]
        engagements[name] = EngagementShare(
            _percent(one.overall.rce, best.overall.rce),
            tuple(_percent(a.rce, b.rce) for a, b in zip(one.groups, best.groups, strict=True)),
            _percent(one.group_mean.rce, best.group_mean.rce),
        )
    return OracleShare(
        engagements,
        _mean(share.overall for share in engagements.values()),
        _mean(share.group_mean for share in engagements.values()),
    )


def average_precision(labels: Labels, probabilities: Probabilities) -> float:
    """Sums (recall gained) x precision over the thresholds; labels and probabilities [n], both classes present."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(labels, probabilities))


def relative_cross_entropy(labels: Labels, probabilities: Probabilities) -> float:
    """Computes 100 (1 - CE(model) / CE(naive)), naive = the mean of the labels; arrays [n], both classes present."""
    naive = np.full(len(labels), labels.mean(), dtype=np.float64)
    return 100 * (1 - cross_entropy(labels, probabilities) / cross_entropy(labels, naive))


def cross_entropy(labels: Labels, probabilities: Probabilities) -> float:
    """Returns the mean negative log-likelihood in nats of labels [n] under probabilities [n], clipped by CLIP."""
    clipped = np.clip(np.asarray(probabilities, dtype=np.float64), CLIP, 1 - CLIP)
    return float(-np.log(np.where(labels, clipped, 1 - clipped)).mean())


def _score_engagement(
    labels: Labels, probabilities: Probabilities, members: Sequence[NDArray[np.intp]]
) -> EngagementScores:
    groups = tuple(_score_rows(labels[rows], probabilities[rows]) for rows in members)
    return EngagementScores(_score_rows(labels, probabilities), groups, average(groups))


def _score_rows(labels: Labels, probabilities: Probabilities) -> Score:
    rows, positives = len(labels), int(labels.sum())
    reason = None
    if rows == 0:
        reason = "no rows"
    elif positives == 0:
        reason = f"no positive among {counted(rows, 'row')}"
    elif positives == rows:
        reason = f"no negative among {counted(rows, 'row')}"
    if reason:
        return Score(rows, positives, None, None, reason)
    return Score(
        rows, positives, average_precision(labels, probabilities), relative_cross_entropy(labels, probabilities)
    )


def _check(labels: Labels, probabilities: Probabilities, followers: Followers, source: str) -> None:
    width = len(schema.TARGETS)
    for name, array in (("labels", labels), (source, probabilities)):
        if array.ndim != 2 or array.shape[1] != width:
            raise UserError(f"{name}: expected rows of {width} values, found an array of shape {list(array.shape)}")
    for name, count in ((source, len(probabilities)), ("follower counts", len(followers))):
        if count != len(labels):
            row = min(count, len(labels))
            raise UserError(f"{name}: {count} rows for {len(labels)} labelled rows: row {row} has no counterpart")
    if (wrong := first_improbable(probabilities)) is not None:
        row, column = wrong
        value = probabilities[row, column]
        raise UserError(f"{source}: row {row}, {schema.TARGETS[column]}: {value} is not a probability in [0, 1]")


def first_improbable(probabilities: Probabilities) -> tuple[int, int] | None:
    """Returns row and column of the first value of [n, k] that is NaN or outside [0, 1]; None if there is none."""
    wrong = ~((probabilities >= 0) & (probabilities <= 1))
    rows = wrong.any(axis=1)
    if not rows.any():
        return None
    row = int(rows.argmax())
    return row, int(wrong[row].argmax())


def _tupled(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turns lists into tuples: JSON makes lists of intervals."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def average(scores: Iterable[Score | Average]) -> Average:
    """Returns the means of AP and RCE of those that have one."""
    kept = list(scores)
    return Average(_mean(one.ap for one in kept), _mean(one.rce for one in kept))


def _mean(values: Iterable[float | None]) -> float | None:
    kept = [value for value in values if value is not None]
    return sum(kept) / len(kept) if kept else None


def _percent(part: float | None, whole: float | None) -> float | None:
    if part is None or whole is None or whole <= 0:
        return None
    return 100 * part / whole
