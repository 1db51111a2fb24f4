"""Calibration and fairness: gaps between predicted and observed rates, overall and by author group, beyond chance.

What belongs here: gaps and their standard errors. What does not: the scores (metrics), plots (plots).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engage_pipeline.metrics import CLIP, follower_groups, group_names
from engage_pipeline.plots import quantile_bins

Labels = NDArray[np.bool_]
Probabilities = NDArray[np.float64]
STANDARD_ERRORS = 3.0
"""A gap is more than noise beyond this many standard errors."""


@dataclass(frozen=True)
class Gap:
    """Mean predicted and observed rate of some rows, and the observed rate's standard error under the predictions."""

    rows: int
    predicted: float
    observed: float
    error: float

    @property
    def beyond_chance(self) -> float:
        """The part of the gap that chance does not explain; negative if chance explains all of it."""
        return abs(self.predicted - self.observed) - STANDARD_ERRORS * self.error

    @property
    def ratio(self) -> float | None:
        """Predicted over observed rate; None if nothing was observed."""
        return self.predicted / self.observed if self.observed else None


@dataclass(frozen=True)
class AuthorGroup:
    """An author group of one engagement: its rates, its RCE in percent and the RCE's standard error. RCE is None if the
    group has one class only."""

    name: str
    rates: Gap
    rce: float | None
    rce_error: float


def calibration_gaps(labels: Labels, probabilities: Probabilities) -> list[Gap]:
    """Returns the gap of each tenth of the rows, in order of probability; labels and probabilities [n]."""
    bins = quantile_bins(labels, probabilities)
    return [
        Gap(one.rows, one.predicted, one.observed, math.sqrt(one.predicted * (1 - one.predicted) / one.rows))
        for one in bins
    ]


def group_gaps(
    labels: Labels, probabilities: Probabilities, followers: NDArray[np.int64], edges: Sequence[int]
) -> list[AuthorGroup]:
    """Returns the gaps of each follower group that has rows; labels, probabilities and followers [n]."""
    groups = follower_groups(followers, edges)
    found = []
    for number, name in enumerate(group_names(edges)):
        chosen = groups == number
        if chosen.any():
            rce, error = rce_with_error(labels[chosen], probabilities[chosen])
            found.append(AuthorGroup(name, _gap(labels[chosen], probabilities[chosen]), rce, error))
    return found


def _gap(labels: Labels, probabilities: Probabilities) -> Gap:
    """Returns the gap of rows with different probabilities p: the variance of their sum is the sum of p (1 - p)."""
    rows = len(labels)
    error = math.sqrt(float((probabilities * (1 - probabilities)).sum())) / rows
    return Gap(rows, float(probabilities.mean()), float(labels.mean()), error)


def rce_with_error(
    labels: Labels, probabilities: Probabilities, viewers: NDArray[np.integer] | None = None
) -> tuple[float | None, float]:
    """Returns the relative cross entropy in percent and its standard error; (None, 0) if there is one class only.

    RCE = 100 (1 - R) with R a ratio of two means over the rows; its error is that of a ratio estimator
    (W. Cochran: Sampling Techniques, 1977, section 2.11). With the number of each row's viewer, int [n], viewers are
    drawn instead of rows, each with all of its rows.
    """
    rate = labels.mean()
    if rate in {0.0, 1.0}:
        return None, 0.0
    loss, naive = (_losses(labels, values) for values in (probabilities, np.full(len(labels), rate)))
    ratio = loss.mean() / naive.mean()
    residuals = loss - ratio * naive
    drawn = residuals if viewers is None else np.bincount(viewers, residuals)
    error = np.sqrt((drawn**2).sum()) / naive.sum()
    return float(100 * (1 - ratio)), float(100 * error)


def _losses(labels: Labels, probabilities: Probabilities) -> Probabilities:
    clipped = np.clip(probabilities, CLIP, 1 - CLIP)
    return -np.log(np.where(labels, clipped, 1 - clipped))
