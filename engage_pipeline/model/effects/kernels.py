"""The inner loops of the sampler, compiled by numba: sums over rows, draws of keys.

Arrays of rows are float32 [n, 4] and in the order of a block; those of keys are float32 [keys, 4], key 0 being that of
rows without one, which stays 0. Sums over many keys are float64. Random numbers come from a numpy Generator, so that
the same seed gives the same draws on any machine and any number of threads.

Sources: N. Polson, J. Scott, J. Windle, Bayesian inference for logistic models using Polya-Gamma latent variables (JASA
2013), whose section 4 has the sampler below. What does not belong here: the order of the steps (chain).
"""

from math import sqrt
from typing import Any

import numba
import numpy as np

from engage_pipeline.model.effects.polya_gamma import polya_gamma

K = 4
"""The engagements."""
LANES = 8
"""Keys that are drawn at a time: innermost, so that they share the processor's wide instructions."""
_compiled: Any = numba.njit(cache=True, nogil=True)


@_compiled
def draw_curvatures(odds: np.ndarray, weights: np.ndarray, rng: np.random.Generator, curvature: np.ndarray) -> None:
    """Draws `curvature` [n, 4] of rows with log-odds `odds` [n, 4]: Polya-Gamma(1, odds), times `weights` [n]."""
    for row in range(len(odds)):
        for one in range(K):
            curvature[row, one] = weights[row] * polya_gamma(odds[row, one], rng) if weights[row] > 0 else 0.0


@_compiled
def _four(values: np.ndarray, row: int) -> tuple[float, float, float, float]:
    return values[row, 0], values[row, 1], values[row, 2], values[row, 3]


@_compiled
def _add(values: np.ndarray, row: int, more: tuple[float, float, float, float]) -> None:
    """Adds to the four numbers of a row: all are read before one is written, so that they share an instruction."""
    before = _four(values, row)
    values[row, 0] = before[0] + more[0]
    values[row, 1] = before[1] + more[1]
    values[row, 2] = before[2] + more[2]
    values[row, 3] = before[3] + more[3]


@_compiled
def add_rows(codes: np.ndarray, slopes: np.ndarray, values: np.ndarray, odds: np.ndarray) -> None:
    """Adds `values` of the key of each row to `odds`, times `slopes` [n]; without them if they are [0]."""
    for row in range(len(codes)):
        a, b, c, d = _four(values, np.uint32(codes[row]))
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
        code, half, own = np.uint32(codes[row]), weights[row] / np.float32(2), labels[row]
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


@_compiled
def _factor(matrix: np.ndarray, lower: np.ndarray) -> None:
    """Writes the Cholesky factor of each `matrix` [4, 4, LANES] into `lower`, and on its diagonal one over each
    element."""
    for j in range(K):
        for i in range(j, K):
            for lane in range(LANES):
                value = matrix[i, j, lane]
                for q in range(j):
                    value -= lower[i, q, lane] * lower[j, q, lane]
                lower[i, j, lane] = 1 / sqrt(value) if i == j else value * lower[j, j, lane]


@_compiled
def _solve(lower: np.ndarray, right: np.ndarray, noise: np.ndarray, mean: np.ndarray, draw: np.ndarray) -> None:
    """Solves lower lower' mean = right in each lane, `lower` as _factor leaves it; `draw` is mean and a normal deviate
    of that precision, made of `noise`. All but `lower` are [4, LANES]."""
    for i in range(K):
        for lane in range(LANES):
            value = right[i, lane]
            for q in range(i):
                value -= lower[i, q, lane] * mean[q, lane]
            mean[i, lane] = value * lower[i, i, lane]
    for i in range(K - 1, -1, -1):
        for lane in range(LANES):
            value, drawn = mean[i, lane], mean[i, lane] + noise[i, lane]
            for q in range(i + 1, K):
                value -= lower[q, i, lane] * mean[q, lane]
                drawn -= lower[q, i, lane] * draw[q, lane]
            mean[i, lane], draw[i, lane] = value * lower[i, i, lane], drawn * lower[i, i, lane]


@_compiled
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
    matrix, lower, inverse = np.zeros((3, K, K, LANES))
    noise, own, right, mean, draw, variance = np.zeros((6, K, LANES))
    sums = np.zeros((2 + K, K, K, LANES))
    for first in range(1, len(values), LANES):
        lanes = min(LANES, len(values) - first)
        for lane in range(lanes):
            for i in range(K):
                noise[i, lane], own[i, lane] = rng.standard_normal(), precision[first + lane, i]
                right[i, lane] = pull[first + lane, i] + own[i, lane] * values[first + lane, i]
        _add_diagonal(prior, own, matrix)
        _factor(matrix, lower)
        _solve(lower, right, noise, mean, draw)
        for lane in range(lanes):
            for i in range(K):
                moved[first + lane, i] = draw[i, lane] - values[first + lane, i]
                values[first + lane, i] = draw[i, lane]
        if learn:
            draw[:, lanes:] = 0
            _add_moments(own, right, draw, sums)
        if kept:
            _write_variances(lower, inverse, variance)
            _add_lanes(mean, first, lanes, means)
            _add_lanes(variance, first, lanes, variances)
    _add_whole(sums, moments)


@_compiled
def _add_diagonal(prior: np.ndarray, own: np.ndarray, matrix: np.ndarray) -> None:
    """Writes `prior` [4, 4], and on its diagonal `own` [4, LANES] more, into the lower triangle of each `matrix`."""
    for i in range(K):
        for lane in range(LANES):
            for j in range(i):
                matrix[i, j, lane] = prior[i, j]
            matrix[i, i, lane] = prior[i, i] + own[i, lane]


@_compiled
def _add_moments(precision: np.ndarray, pull: np.ndarray, draw: np.ndarray, sums: np.ndarray) -> None:
    """Adds the moments of the keys in each lane to `sums` [6, 4, 4, LANES]: of symmetric ones the lower triangle. The
    others are [4, LANES]."""
    for i in range(K):
        for j in range(K):
            for lane in range(LANES):
                sums[1 + K, i, j, lane] += pull[i, lane] * draw[j, lane]
        for j in range(i + 1):
            for lane in range(LANES):
                product = draw[i, lane] * draw[j, lane]
                sums[0, i, j, lane] += product
                sums[1, i, j, lane] += precision[0, lane] * product
                sums[2, i, j, lane] += precision[1, lane] * product
                sums[3, i, j, lane] += precision[2, lane] * product
                sums[4, i, j, lane] += precision[3, lane] * product


@_compiled
def _add_whole(sums: np.ndarray, moments: np.ndarray) -> None:
    """Adds what `_add_moments` summed to `moments` [6, 4, 4]."""
    for i in range(K):
        for j in range(i):
            sums[: 1 + K, j, i] = sums[: 1 + K, i, j]
    moments += sums.sum(3)


@_compiled
def _add_lanes(own: np.ndarray, first: int, lanes: int, sums: np.ndarray) -> None:
    """Adds `own` [4, LANES] to the `lanes` rows of `sums` [keys, 4] from `first` on."""
    for lane in range(lanes):
        for i in range(K):
            sums[first + lane, i] += own[i, lane]


@_compiled
def _write_variances(lower: np.ndarray, inverse: np.ndarray, variance: np.ndarray) -> None:
    """Writes the diagonal of the inverse of lower lower' into `variance` [4, LANES], `lower` as _factor leaves it;
    `inverse` [4, 4, LANES] is written over."""
    for j in range(K):
        inverse[j, j] = lower[j, j]
        for i in range(j + 1, K):
            for lane in range(LANES):
                value = 0.0
                for q in range(j, i):
                    value -= lower[i, q, lane] * inverse[q, j, lane]
                inverse[i, j, lane] = value * lower[i, i, lane]
    for i in range(K):
        for lane in range(LANES):
            value = 0.0
            for q in range(i, K):
                value += inverse[q, i, lane] * inverse[q, i, lane]
            variance[i, lane] = value


@_compiled
def sum_children(parents: np.ndarray, values: np.ndarray, counts: np.ndarray, totals: np.ndarray) -> None:
    """Adds 1 and the value of each key to `counts` [coarse] and `totals` [coarse, 4] of its parent; 0 is none."""
    for key in range(len(values)):
        counts[parents[key]] += 1
        for one in range(K):
            totals[parents[key], one] += values[key, one]


@_compiled
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
    matrix, lower = np.zeros((2, K, K, LANES))
    noise, right, mean, draw = np.zeros((4, K, LANES))
    for i in range(K):
        matrix[i, i] = 1  # a lane without a key has a factor, too
    parents = 1 + np.flatnonzero(counts[1:])
    for first in range(0, len(parents), LANES):
        keys = parents[first : first + LANES]
        for lane, key in enumerate(keys):
            for i in range(K):
                noise[i, lane] = rng.standard_normal()
                right[i, lane] = 0.0
                for j in range(K):
                    matrix[i, j, lane] = counts[key] * fine[i, j] + coarse[i, j]
                    right[i, lane] += fine[i, j] * totals[key, j] - coarse[i, j] * values[key, j]
        _factor(matrix, lower)
        _solve(lower, right, noise, mean, draw)
        for lane, key in enumerate(keys):
            for i in range(K):
                values[key, i] += draw[i, lane]
                totals[key, i] = draw[i, lane]


@_compiled
def take_from_children(parents: np.ndarray, values: np.ndarray, shifts: np.ndarray) -> None:
    """Subtracts the shift [coarse, 4] of its parent from the value of each key."""
    for key in range(len(values)):
        for one in range(K):
            values[key, one] -= shifts[parents[key], one]
