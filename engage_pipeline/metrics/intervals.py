"""Bootstrap intervals of scores: viewers are drawn with replacement, each with all of its rows.

Rows of one viewer resemble each other, so drawing single rows would give intervals that are too narrow. Every call
draws the same viewers for the same `viewers`, so the draws of two models are paired and may be subtracted. What does
not belong here: the scores (scores), and decisions that use them (model.promotion.promotion, model.blend).
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engage_pipeline import schema
from engage_pipeline.metrics.scores import CLIP, Average, Interval, Labels, OracleShare, Probabilities, Score, Scores

DRAWS = 200
"""The number of draws."""
LEAST_DRAWS, ROWS_OF_DRAWS = 25, 200_000_000
"""AP reads each row in every draw: beyond a million rows it uses fewer draws, at least 25, to read 200 million rows."""
LEAST_VIEWERS = 2
"""With fewer, draws don't differ."""
MEAN = "mean"
"""The name of the means over the engagements, beside the names of these."""
LEVEL = 0.95
"""The share of the draws inside an interval, in the middle."""
_SEED = 20210
_Case = TypeVar("_Case", Score, Average)

Viewers = NDArray[np.integer]
"""The viewer of each row, as a number from 0 on, int [n]."""
Draws = NDArray[np.float64]
"""A score in each draw: [DRAWS], or [DRAWS, 4] by engagement; NaN if a draw has one class only, or there is one viewer,
of whom every draw is the same."""


def with_intervals(scores: Scores, labels: Labels, probabilities: Probabilities, viewers: Viewers) -> Scores:
    """Adds the intervals of AP and RCE over all rows, and of their means, to `scores`; follower groups get none.

    Takes about a minute for one model and a million rows or more, nearly all of it for AP.
    """
    ap, rce = ap_draws(labels, probabilities, viewers), rce_draws(labels, probabilities, viewers)
    names = list(scores.engagements)
    bounds = {name: (interval(ap[:, place]), interval(rce[:, place])) for place, name in enumerate(names)}
    bounds[MEAN] = interval(mean_draws(ap)), interval(mean_draws(rce))
    return _widened(scores, bounds)


def with_known_intervals(scores: Scores, known: Mapping[str, Average]) -> Scores | None:
    """Adds the intervals of `known`, which `with_intervals` computed, by engagement and MEAN.

    None if an AP or RCE differs in its last digit: then `known` is of another model, or of other rows.
    """
    found = {name: (one.overall.ap, one.overall.rce) for name, one in scores.engagements.items()}
    found[MEAN] = scores.overall_mean.ap, scores.overall_mean.rce
    if found != {name: (one.ap, one.rce) for name, one in known.items()}:
        return None
    return _widened(scores, {name: (one.ap_interval, one.rce_interval) for name, one in known.items()})


def with_share_intervals(
    share: OracleShare, labels: Labels, probabilities: Probabilities, true: Probabilities, viewers: Viewers
) -> OracleShare:
    """Adds the intervals of the shares over all rows, and of their mean; `true` [n, 4] are the oracle's."""
    oracle = rce_draws(labels, true, viewers)
    positive = np.where(oracle > 0, oracle, np.nan)
    draws = 100 * rce_draws(labels, probabilities, viewers) / positive
    engagements = {
        name: replace(one, overall_interval=interval(draws[:, place]))
        for place, (name, one) in enumerate(share.engagements.items())
    }
    return replace(share, engagements=engagements, overall_interval=interval(mean_draws(draws)))


def _widened(scores: Scores, bounds: Mapping[str, tuple[Interval | None, Interval | None]]) -> Scores:
    """Returns the scores with intervals of AP and RCE, by engagement and MEAN."""

    def wider(name: str, one: _Case) -> _Case:
        return replace(one, ap_interval=bounds[name][0], rce_interval=bounds[name][1])

    engagements = {name: replace(one, overall=wider(name, one.overall)) for name, one in scores.engagements.items()}
    return replace(scores, engagements=engagements, overall_mean=wider(MEAN, scores.overall_mean))


def rce_draws(labels: Labels, probabilities: Probabilities, viewers: Viewers) -> Draws:
    """Returns the RCE in percent of each draw and engagement, [DRAWS, 4]; labels and probabilities [n, 4], viewers [n].

    The naive rate is that of the draw's own rows. Each viewer's rows are summed once, so a draw costs one product.
    """
    clipped = np.clip(probabilities.astype(np.float64), CLIP, 1 - CLIP)
    losses = -np.log(np.where(labels, clipped, 1 - clipped))
    rows = np.ones((len(labels), 1))
    sums = sums_by_viewer(np.hstack([rows, labels, losses]), viewers)  # [viewers, 1 + 4 + 4]
    if len(sums) < LEAST_VIEWERS:
        return np.full((DRAWS, len(schema.TARGETS)), np.nan)
    found = np.array([weights @ sums for weights in drawn_viewers(len(sums))])
    count, positives, loss = np.split(found, [1, 1 + len(schema.TARGETS)], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = positives / count
        naive = -count * (rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
        return np.where((rate > 0) & (rate < 1), 100 * (1 - loss / naive), np.nan)


def ap_draws(labels: Labels, probabilities: Probabilities, viewers: Viewers) -> Draws:
    """Returns the average precision of each draw and engagement, [draws, 4]; arguments as for `rce_draws`.

    The draws are the first ones of `rce_draws`: all DRAWS up to a million rows, fewer beyond, at least LEAST_DRAWS.
    """
    draws = min(DRAWS, max(LEAST_DRAWS, ROWS_OF_DRAWS // max(len(labels), 1)))
    found = np.full((draws, len(schema.TARGETS)), np.nan)
    people = int(viewers.max()) + 1 if len(viewers) else 0
    if people < LEAST_VIEWERS:
        return found
    for place in range(len(schema.TARGETS)):
        values = probabilities[:, place]
        order = np.argsort(-values, kind="stable")
        ends = np.append(np.flatnonzero(np.diff(values[order])), len(order) - 1)  # last row of each probability
        positive, viewer = labels[order, place], viewers[order]
        for draw, weights in enumerate(islice(drawn_viewers(people), draws)):
            found[draw, place] = _weighted_ap(weights[viewer], positive, ends)
    return found


def mean_draws(draws: Draws) -> Draws:
    """Returns each draw's mean over the engagements, [DRAWS]; engagements without a score in all draws are left out."""
    scored = draws[:, ~np.isnan(draws).all(axis=0)]
    return scored.mean(axis=1) if scored.shape[1] else np.full(len(draws), np.nan)


def interval(draws: Draws) -> Interval | None:
    """Returns the ends of the middle LEVEL of the draws [DRAWS]; None if no draw has a score."""
    known = draws[~np.isnan(draws)]
    if not len(known):
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def viewer_numbers(ids: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
    """Numbers the viewers' ids [n] from 0 on, in order of occurrence; each row without an id is a viewer of its own.

    Those numbers follow the others. As some of these rows may be of one viewer, intervals may be too narrow.
    """
    flat = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    encoded = flat.dictionary_encode()
    missing = encoded.indices.is_null().to_numpy(zero_copy_only=False)
    numbers = encoded.indices.fill_null(0).to_numpy().astype(np.int64)
    numbers[missing] = len(encoded.dictionary) + np.arange(missing.sum())
    return numbers


def sums_by_viewer(values: NDArray[np.float64], viewers: Viewers) -> NDArray[np.float64]:
    """Sums the columns of `values` [n, k] over the rows of each viewer: [viewers, k]."""
    people = int(viewers.max()) + 1 if len(viewers) else 0
    return np.column_stack([np.bincount(viewers, column, people) for column in values.T])


def drawn_viewers(people: int) -> Iterator[NDArray[np.float64]]:
    """Yields, for each of DRAWS draws of `people` viewers, how often each was drawn: float64 [people]."""
    rng = np.random.default_rng(_SEED)
    for _ in range(DRAWS):
        yield np.bincount(rng.integers(0, people, people), minlength=people).astype(np.float64)


def _weighted_ap(weights: NDArray[np.float64], positive: NDArray[np.bool_], ends: NDArray[np.intp]) -> float:
    """Returns the AP of rows [n] in descending order of probability; `ends`: last row of each distinct probability."""
    hits = np.cumsum(weights * positive)[ends]
    rows = np.cumsum(weights)[ends]
    if not 0 < hits[-1] < rows[-1]:
        return float("nan")
    gained = np.diff(hits, prepend=0.0)
    precision = np.divide(hits, rows, out=np.zeros_like(hits), where=rows > 0)
    return float(gained @ precision / hits[-1])
