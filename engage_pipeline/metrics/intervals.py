"""Bootstrap intervals of scores: viewers are drawn with replacement, each with all of its rows.

Rows of one viewer resemble each other, so rows drawn one by one would give intervals that are too narrow. Every call
draws the same viewers for the same `viewers`, so the draws of two models are paired and may be subtracted. What does
not belong here: the scores themselves (scores), and what is decided by them (model.promotion.promotion, model.blend).
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engage_pipeline import schema
from engage_pipeline.metrics.scores import CLIP, Average, EngagementScores, Interval, Labels, Probabilities, Scores

DRAWS = 200
"""How often the viewers are drawn."""
LEAST_DRAWS, ROWS_OF_DRAWS = 25, 200_000_000
"""AP reads each row in every draw: beyond a million rows it takes fewer draws, so that all together read so many."""
LEVEL = 0.95
"""Share of the draws that an interval holds, its middle."""
_SEED = 20210

Viewers = NDArray[np.integer]
"""Who saw each row, as numbers from 0 on, int [n]."""
Draws = NDArray[np.float64]
"""A score in each draw: [DRAWS], or [DRAWS, 4] by engagement; NaN where a draw has one class only."""


def with_intervals(scores: Scores, labels: Labels, probabilities: Probabilities, viewers: Viewers) -> Scores:
    """`scores` of all rows, and their means, with the intervals of AP and RCE; the follower groups get none.

    About a minute for a million rows or more and one model, nearly all of it for AP.
    """
    ap, rce = ap_draws(labels, probabilities, viewers), rce_draws(labels, probabilities, viewers)

    def widened(place: int, one: EngagementScores) -> EngagementScores:
        if one.overall.reason is not None:
            return one
        bounds = interval(ap[:, place]), interval(rce[:, place])
        return replace(one, overall=replace(one.overall, ap_interval=bounds[0], rce_interval=bounds[1]))

    mean = Average(scores.overall_mean.ap, scores.overall_mean.rce, interval(mean_draws(ap)), interval(mean_draws(rce)))
    engagements = {name: widened(place, one) for place, (name, one) in enumerate(scores.engagements.items())}
    return replace(scores, engagements=engagements, overall_mean=mean)


def rce_draws(labels: Labels, probabilities: Probabilities, viewers: Viewers) -> Draws:
    """RCE in percent of each draw and engagement, [DRAWS, 4]; labels and probabilities [n, 4], viewers [n].

    The naive rate is that of the draw's own rows. Sums of each viewer are taken once, so a draw costs a product.
    """
    clipped = np.clip(probabilities.astype(np.float64), CLIP, 1 - CLIP)
    losses = -np.log(np.where(labels, clipped, 1 - clipped))
    rows = np.ones((len(labels), 1))
    sums = sums_by_viewer(np.hstack([rows, labels, losses]), viewers)  # [viewers, 1 + 4 + 4]
    found = np.array([weights @ sums for weights in drawn_viewers(len(sums))])
    count, positives, loss = np.split(found, [1, 1 + len(schema.TARGETS)], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = positives / count
        naive = -count * (rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
        return np.where((rate > 0) & (rate < 1), 100 * (1 - loss / naive), np.nan)


def ap_draws(labels: Labels, probabilities: Probabilities, viewers: Viewers) -> Draws:
    """Average precision of each draw and engagement, [draws, 4]; arguments as for `rce_draws`.

    The draws are the first of those: all DRAWS up to a million rows, fewer beyond, LEAST_DRAWS at least.
    """
    draws = min(DRAWS, max(LEAST_DRAWS, ROWS_OF_DRAWS // max(len(labels), 1)))
    found = np.full((draws, len(schema.TARGETS)), np.nan)
    people = int(viewers.max()) + 1 if len(viewers) else 0
    for place in range(len(schema.TARGETS)):
        values = probabilities[:, place]
        order = np.argsort(-values, kind="stable")
        ends = np.append(np.flatnonzero(np.diff(values[order])), len(order) - 1)  # last row of each probability
        positive, viewer = labels[order, place], viewers[order]
        for draw, weights in enumerate(islice(drawn_viewers(people), draws)):
            found[draw, place] = _weighted_ap(weights[viewer], positive, ends)
    return found


def mean_draws(draws: Draws) -> Draws:
    """The mean over the engagements of each draw, [DRAWS]; an engagement that has no score in any draw is left out."""
    scored = draws[:, ~np.isnan(draws).all(axis=0)]
    return scored.mean(axis=1) if scored.shape[1] else np.full(len(draws), np.nan)


def interval(draws: Draws) -> Interval | None:
    """The middle LEVEL of the draws [DRAWS]; None where no draw has a score."""
    known = draws[~np.isnan(draws)]
    if not len(known):
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def viewer_numbers(ids: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
    """The viewers' ids [n] as numbers from 0 on, in the order in which they occur; rows without an id are one viewer's.

    One viewer too large makes intervals wider, never narrower.
    """
    flat = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    return flat.dictionary_encode(null_encoding="encode").indices.to_numpy().astype(np.int64)


def sums_by_viewer(values: NDArray[np.float64], viewers: Viewers) -> NDArray[np.float64]:
    """The sums of the columns of `values` [n, k] over the rows of each viewer, [viewers, k]."""
    people = int(viewers.max()) + 1 if len(viewers) else 0
    return np.column_stack([np.bincount(viewers, column, people) for column in values.T])


def drawn_viewers(people: int) -> Iterator[NDArray[np.float64]]:
    """In each of DRAWS draws of `people` viewers, how often each was drawn, float64 [people]."""
    rng = np.random.default_rng(_SEED)
    for _ in range(DRAWS):
        yield np.bincount(rng.integers(0, people, people), minlength=people).astype(np.float64)


def _weighted_ap(weights: NDArray[np.float64], positive: NDArray[np.bool_], ends: NDArray[np.intp]) -> float:
    """AP of rows [n] in falling order of their probability, `ends` the last row of each distinct probability."""
    hits = np.cumsum(weights * positive)[ends]
    rows = np.cumsum(weights)[ends]
    if not 0 < hits[-1] < rows[-1]:
        return float("nan")
    gained = np.diff(hits, prepend=0.0)
    precision = np.divide(hits, rows, out=np.zeros_like(hits), where=rows > 0)
    return float(gained @ precision / hits[-1])
