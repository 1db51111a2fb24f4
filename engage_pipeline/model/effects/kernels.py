"""The inner loops of the sampler, compiled: sums over rows, draws of keys.

Arrays of rows are float32 [n, 4] and in the order of a block; those of keys are float32 [keys, 4], key 0 being that of
rows without one, which stays 0. Sums over many keys are float64. Random numbers come from a numpy Generator, so that
the same seed gives the same draws on any machine and any number of threads.

Sources: N. Polson, J. Scott, J. Windle, Bayesian inference for logistic models using Polya-Gamma latent variables (JASA
2013), whose section 4 has the sampler below. What does not belong here: the arithmetic of a draw (lanes), the order of
the steps (chain).
"""

import numpy as np

from engage_pipeline.model.effects import lanes
from engage_pipeline.model.effects.lanes import LANES, Four
from engage_pipeline.model.effects.polya_gamma import polya_gamma
from engage_pipeline.numerics.compilation import compiled, compiled_within

K = 4
"""The engagements."""
_compiled, _inner = compiled(), compiled_within()


@_compiled
def draw_curvatures(odds: np.ndarray, weights: np.ndarray, rng: np.random.Generator, curvature: np.ndarray) -> None:
    """Draws `curvature` [n, 4] of rows with log-odds `odds` [n, 4]: Polya-Gamma(1, odds), times `weights` [n]."""
    for row in range(len(odds)):
        for one in range(K):
            curvature[row, one] = weights[row] * polya_gamma(odds[row, one], rng) if weights[row] > 0 else 0.0


@_inner
def _four(values: np.ndarray, row: int) -> Four:
    return values[row, 0], values[row, 1], values[row, 2], values[row, 3]


@_inner
def _add(values: np.ndarray, row: int, more: Four) -> None:
    """Adds to the four numbers of a row: all are read before one is written, so that they share an instruction."""
    before = _four(values, row)
    values[row, 0] = before[0] + more[0]
    values[row, 1] = before[1] + more[1]
    values[row, 2] = before[2] + more[2]
    values[row, 3] = before[3] + more[3]


@_inner
def _write(values: np.ndarray, row: int, four: Four) -> None:
    values[row, 0], values[row, 1], values[row, 2], values[row, 3] = four


@_inner
def _sum(one: Four, other: Four) -> Four:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3]


@_inner
def _product(one: Four, other: Four) -> Four:
    return one[0] * other[0], one[1] * other[1], one[2] * other[2], one[3] * other[3]


@_inner
def _wide(values: np.ndarray, row: int) -> Four:
    """Returns four numbers of a row as float64."""
    a, b, c, d = _four(values, row)
    return np.float64(a), np.float64(b), np.float64(c), np.float64(d)


@_inner
def _normal(rng: np.random.Generator) -> Four:
    return rng.standard_normal(), rng.standard_normal(), rng.standard_normal(), rng.standard_normal()


@_compiled
def add_rows(codes: np.ndarray, slopes: np.ndarray, values: np.ndarray, odds: np.ndarray) -> None:
    """Adds `values` of the key of each row to `odds`, times `slopes` [n]; without them if they are [0]."""
    for row in range(len(codes)):
        a, b, c, d = _four(values, np.intp(np.uint32(codes[row])))
        if len(slopes):
            slope = slopes[row]
            a, b, c, d = slope * a, slope * b, slope * c, slope * d
        _add(odds, row, (a, b, c, d))


@_compiled
def sum_rows(
    codes: np.ndarray,
    slopes: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    curvature: np.ndarray,
    odds: np.ndarray,
    precision: np.ndarray,
    pull: np.ndarray,
) -> None:
    """Adds to `precision` and `pull` of the key of each row its curvature, and its target less curvature times odds.

    A target is the weight times (label - 1/2); `labels` uint8 [n] has a bit for each engagement, `weights` are [n].
    """
    for row in range(len(codes)):
        code, half, own = np.intp(np.uint32(codes[row])), weights[row] / np.float32(2), labels[row]
        a, b, c, d = _four(curvature, row)
        e, f, g, h = _four(odds, row)
        e = (half if own & 1 else -half) - a * e
        f = (half if own & 2 else -half) - b * f
        g = (half if own & 4 else -half) - c * g
        h = (half if own & 8 else -half) - d * h
        if len(slopes):
            slope = slopes[row]
            e, f, g, h = e * slope, f * slope, g * slope, h * slope
            slope *= slope
            a, b, c, d = a * slope, b * slope, c * slope, d * slope
        _add(precision, code, (a, b, c, d))
        _add(pull, code, (e, f, g, h))


@_inner
def _leave_empty(work: np.ndarray, lane: int, diagonal: Four) -> None:
    """Fills a lane for which no key is left: its draw is 0."""
    lanes.put(work, lanes.MATRIX, lane, diagonal)
    lanes.put(work, lanes.RIGHT, lane, (0.0, 0.0, 0.0, 0.0))
    lanes.put(work, lanes.NOISE, lane, (0.0, 0.0, 0.0, 0.0))


@_inner
def _move(draw: Four, key: int, values: np.ndarray, moved: np.ndarray) -> None:
    """Writes the new values of a key, and by how much they moved."""
    a, b, c, d = _wide(values, key)
    _write(moved, key, (draw[0] - a, draw[1] - b, draw[2] - c, draw[3] - d))
    _write(values, key, draw)


def draw_keys(
    precision: np.ndarray,
    pull: np.ndarray,
    prior: np.ndarray,
    rng: np.random.Generator,
    values: np.ndarray,
    moved: np.ndarray,
    moments: np.ndarray,
    learn: bool,
    kept: bool,
    means: np.ndarray,
    variances: np.ndarray,
) -> None:
    """Draws the `values` of all keys given `precision` and `pull` of their rows, the latter with the values before.

    `prior` float64 [4, 4] is the inverse covariance. Writes by how much each moved into `moved`. If `learn`, adds to
    `moments` float64 [6, 4, 4]: sums of b b', then for each engagement e of precision_e b b', then of pull_e b in row
    e. If `kept`, adds the mean and the variance of the distribution that was drawn from to `means` and `variances`.
    """
    work, sums = np.zeros(lanes.N_LINES * LANES), np.zeros(lanes.N_SUMS * LANES)
    _draw_keys(precision, pull, prior, rng, values, moved, learn, kept, means, variances, work, sums)
    if learn:
        lanes.add_whole(sums, moments)


@_compiled
def _draw_keys(
    precision: np.ndarray,
    pull: np.ndarray,
    prior: np.ndarray,
    rng: np.random.Generator,
    values: np.ndarray,
    moved: np.ndarray,
    learn: bool,
    kept: bool,
    means: np.ndarray,
    variances: np.ndarray,
    work: np.ndarray,
    sums: np.ndarray,
) -> None:
    for lane in range(LANES):
        lanes.put_below(work, lane, prior)
    diagonal = prior[0, 0], prior[1, 1], prior[2, 2], prior[3, 3]
    for first in range(1, len(values), LANES):
        count = min(LANES, len(values) - first)
        for lane in range(count):
            own, pulled, value = _wide(precision, first + lane), _wide(pull, first + lane), _wide(values, first + lane)
            lanes.put(work, lanes.PRECISION, lane, own)
            lanes.put(work, lanes.MATRIX, lane, _sum(diagonal, own))
            lanes.put(work, lanes.RIGHT, lane, _sum(pulled, _product(own, value)))
            lanes.put(work, lanes.NOISE, lane, _normal(rng))
        for lane in range(count, LANES):
            _leave_empty(work, lane, diagonal)
        lanes.solve(work)
        for lane in range(count):
            _move(lanes.get(work, lanes.DRAW, lane), first + lane, values, moved)
        if learn:
            lanes.add_sums(work, sums)
        if kept:
            lanes.invert(work)
            for lane in range(count):
                _add(means, first + lane, lanes.get(work, lanes.MEAN, lane))
                _add(variances, first + lane, lanes.get(work, lanes.VARIANCE, lane))


@_compiled
def sum_children(parents: np.ndarray, values: np.ndarray, counts: np.ndarray, totals: np.ndarray) -> None:
    """Adds 1 and the value of each key to `counts` [coarse] and `totals` [coarse, 4] of its parent; 0 is none."""
    for key in range(len(values)):
        counts[parents[key]] += 1
        for one in range(K):
            totals[parents[key], one] += values[key, one]


def draw_shifts(
    counts: np.ndarray,
    totals: np.ndarray,
    values: np.ndarray,
    fine: np.ndarray,
    coarse: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Draws how much each key of a coarse effect takes over from its children; adds it to `values`, leaves it in
    `totals`. The first key is left as it is.

    `fine` and `coarse` float64 [4, 4] are inverse covariances: of shifts s, (values + s)' coarse (values + s) and the
    sum of (child - s)' fine (child - s) over the children tell the density.
    """
    parents = 1 + np.flatnonzero(counts[1:])
    _draw_shifts(parents, counts, totals, values, fine, coarse, rng, np.zeros(lanes.N_LINES * LANES), np.zeros((K, K)))


@_compiled
def _draw_shifts(
    parents: np.ndarray,
    counts: np.ndarray,
    totals: np.ndarray,
    values: np.ndarray,
    fine: np.ndarray,
    coarse: np.ndarray,
    rng: np.random.Generator,
    work: np.ndarray,
    matrix: np.ndarray,
) -> None:
    for lane in range(LANES):
        lanes.put(work, lanes.MATRIX, lane, (1.0, 1.0, 1.0, 1.0))  # a lane without a key has a factor, too
    for first in range(0, len(parents), LANES):
        count = min(LANES, len(parents) - first)
        for lane in range(count):
            key = parents[first + lane]
            for i in range(K):
                right = 0.0
                for j in range(K):
                    right += fine[i, j] * totals[key, j] - coarse[i, j] * values[key, j]
                    matrix[i, j] = counts[key] * fine[i, j] + coarse[i, j]
                work[(lanes.RIGHT + i) * LANES + lane] = right
            lanes.put_below(work, lane, matrix)
            lanes.put(work, lanes.MATRIX, lane, (matrix[0, 0], matrix[1, 1], matrix[2, 2], matrix[3, 3]))
            lanes.put(work, lanes.NOISE, lane, _normal(rng))
        lanes.solve(work)
        for lane in range(count):
            key = parents[first + lane]
            draw = lanes.get(work, lanes.DRAW, lane)
            _add(values, key, draw)
            _write(totals, key, draw)


@_compiled
def take_from_children(parents: np.ndarray, values: np.ndarray, shifts: np.ndarray) -> None:
    """Subtracts the shift [coarse, 4] of its parent from the value of each key."""
    for key in range(len(values)):
        for one in range(K):
            values[key, one] -= shifts[parents[key], one]
