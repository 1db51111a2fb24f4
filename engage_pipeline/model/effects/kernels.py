"""The inner loops of the fit, compiled: what rows say, sums over rows, solutions for keys.

Arrays of rows are float32 [n, 4] and in the order of a block. Those of keys are float32 [keys, 8], the means of four
effects and their variances, key 0 being that of rows without one, which stays 0. Sums are float32, of few keys float64.
What does not belong here: the arithmetic of a solution (lanes), the order of the steps (fitting).
"""

from math import log, pi

import numpy as np

from engage_pipeline.model.effects import lanes
from engage_pipeline.model.effects.lanes import LANES
from engage_pipeline.numerics.compilation import compiled, compiled_within, prefetch
from engage_pipeline.numerics.fours import (
    Four,
    add_to,
    chosen,
    difference_of,
    four_of,
    larger_of,
    product_of,
    ratio_of,
    root_of,
    smaller_of,
    total_of,
    wide_of,
    write_to,
)

K = 4
"""The engagements."""
N_SUMS = 4 * K
"""Of the rows of a key: `step`, `pull` and `information`, each for four engagements, and then the variances of the key
itself, which are no sums: one line of a cache has what a row needs of its key, and what it adds to."""
_AHEAD = 24
"""So many rows before they are worked on, memory is asked for their keys: else each waits where the keys of an effect
are more than a cache holds."""
_LEAST = 1e-12
_FARTHEST, _NARROWING = np.float32(80), np.float32(pi / 8)
"""Powers of e by this are float32."""
_ALL = np.uint8((1 << K) - 1)
_HAPPENED = (np.arange(1 << K)[:, np.newaxis] >> np.arange(K) & 1).astype(np.float64)
"""By the bits of a row's labels: 1 for each engagement that happened, else 0."""
_compiled, _inner = compiled(error_model="numpy"), compiled_within(error_model="numpy")


def respond(
    odds: np.ndarray,
    variances: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    caution: float,
    residual: np.ndarray,
    step: np.ndarray,
    breadth: np.ndarray,
) -> float:
    """Writes what rows whose log-odds are normal with mean `odds` and `variances` [n, 4] say; returns their log loss.

    `labels` uint8 [n] has a bit for each engagement. `residual` is the label less its mean probability, `step` the
    curvature to move by, both times `weights` [n], and `breadth` the variance of what the row measures plus that of its
    log-odds. The bound of T. Jaakkola and M. Jordan (Bayesian parameter estimation via variational methods, 2000) is a
    curvature by which no step is too far; `caution` is its share of `step`, beside the curvature here and now. The mean
    of a sigmoid is that of D. MacKay (The evidence framework applied to classification networks, 1992).
    """
    _exponents(odds, variances, residual, step)
    np.exp(residual, out=residual)  # by numpy, which takes many at a time
    np.exp(step, out=step)
    return float(_respond(odds, variances, labels, weights, caution, residual, step, breadth))


@_inner
def _narrow(variances: np.ndarray, row: int) -> Four:
    """Returns by how much the log-odds of a row count less, by their variances, for the mean of their sigmoid."""
    one = np.float32(1)
    return ratio_of(one, root_of(total_of(one, product_of(_NARROWING, four_of(variances, row)))))


@_compiled
def _exponents(odds: np.ndarray, variances: np.ndarray, negative: np.ndarray, size: np.ndarray) -> None:
    """Writes minus the log-odds of the mean probability, and the size of the mean log-odds, at most _FARTHEST each."""
    less = np.float32(-1)
    for row in range(len(odds)):
        mean = four_of(odds, row)
        far = product_of(mean, _narrow(variances, row))
        write_to(negative, row, product_of(less, smaller_of(larger_of(far, -_FARTHEST), _FARTHEST)))
        write_to(size, row, smaller_of(larger_of(mean, product_of(less, mean)), _FARTHEST))


@_compiled
def _respond(
    odds: np.ndarray,
    variances: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    caution: float,
    residual: np.ndarray,
    step: np.ndarray,
    breadth: np.ndarray,
) -> float:
    """Does so from the powers of what _exponents wrote."""
    loss = 0.0
    for row in range(len(odds)):
        weight = np.float64(weights[row])
        if weight <= 0:
            residual[row], step[row], breadth[row] = 0, 0, np.inf
            continue
        against, power, mean = wide_of(residual, row), wide_of(step, row), wide_of(odds, row)
        size = larger_of(mean, product_of(-1.0, mean))
        chance = ratio_of(1.0, total_of(1.0, against))
        none = product_of(chance, against)
        information = product_of(product_of(product_of(_narrow(variances, row), chance), chance), against)
        information = larger_of(information, _LEAST)
        bound = chosen(size, 1e-2, ratio_of(difference_of(0.5, ratio_of(1.0, total_of(1.0, power))), size), 0.25)
        yes, no = four_of(_HAPPENED, labels[row]), four_of(_HAPPENED, ~labels[row] & _ALL)
        write_to(residual, row, product_of(weight, difference_of(product_of(yes, none), product_of(no, chance))))
        curvature = total_of(product_of(caution, bound), product_of(1 - caution, information))
        write_to(step, row, product_of(weight, curvature))
        blur = ratio_of(1.0, product_of(weight, information))
        write_to(breadth, row, total_of(blur, wide_of(variances, row)))
        a, b, c, d = larger_of(total_of(product_of(yes, chance), product_of(no, none)), _LEAST)
        loss -= weight * log(a * b * c * d)
    return loss


@_inner
def _code_of(codes: np.ndarray, row: int, values: np.ndarray) -> np.intp:
    """Returns the code of a row, and asks for the `values` of the code of a later one."""
    prefetch(values, np.intp(np.uint32(codes[min(row + _AHEAD, len(codes) - 1)])))
    return np.intp(np.uint32(codes[row]))


@_compiled
def begin_sums(values: np.ndarray, first: int, sums: np.ndarray) -> None:
    """Writes `sums` [keys, N_SUMS] of no rows, of keys whose variances stand from place `first` of `values` on."""
    none = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    for key in range(len(sums)):
        for place in range(0, 3 * K, K):
            write_to(sums, key, none, place)
        write_to(sums, key, four_of(values, key, first), 3 * K)


@_compiled
def add_keys(codes: np.ndarray, slopes: np.ndarray, keys: np.ndarray, odds: np.ndarray, variances: np.ndarray) -> None:
    """Adds mean and variance of the key of each row to `odds` and `variances`.

    The effects count `slopes` [n] times; once if they are [0].
    """
    for row in range(len(codes)):
        code = _code_of(codes, row, keys)
        mean, variance = four_of(keys, code), four_of(keys, code, K)
        if len(slopes):
            slope = slopes[row]
            mean, variance = product_of(slope, mean), product_of(slope * slope, variance)
        add_to(odds, row, mean)
        add_to(variances, row, variance)


@_compiled
def sum_rows(
    codes: np.ndarray,
    slopes: np.ndarray,
    residual: np.ndarray,
    step: np.ndarray,
    breadth: np.ndarray,
    sums: np.ndarray,
) -> None:
    """Adds step, residual and information of each row to `sums` [keys, N_SUMS] of its key.

    The information of a row is 1 / breadth, without the variance of the key itself.
    """
    one = np.float32(1)
    for row in range(len(codes)):
        code = _code_of(codes, row, sums)
        curvature, pull, variance = four_of(step, row), four_of(residual, row), four_of(breadth, row)
        own = four_of(sums, code, 3 * K)
        if len(slopes):  # a tuple that were made in one of two ways would be no vector
            slope = slopes[row]
            square = slope * slope
            add_to(sums, code, product_of(square, curvature))
            add_to(sums, code, product_of(slope, pull), K)
            add_to(sums, code, ratio_of(square, difference_of(variance, product_of(square, own))), 2 * K)
        else:
            add_to(sums, code, curvature)
            add_to(sums, code, pull, K)
            add_to(sums, code, ratio_of(one, difference_of(variance, own)), 2 * K)


@_compiled
def move_rows(codes: np.ndarray, slopes: np.ndarray, moved: np.ndarray, step: np.ndarray, residual: np.ndarray) -> None:
    """Takes from `residual` what the log-odds of the rows `moved` [keys, 4] by, times `step`."""
    for row in range(len(codes)):
        own = product_of(four_of(step, row), four_of(moved, _code_of(codes, row, moved)))
        add_to(residual, row, product_of(-slopes[row] if len(slopes) else np.float32(-1), own))


@_compiled
def sum_cells(cells: np.ndarray, sums: np.ndarray, moves: np.ndarray, own: np.ndarray) -> None:
    """Adds `sums` [cells, N_SUMS] of each cell, whose log-odds have moved by `moves` [cells, 4] since they were made,
    to `own` [keys, N_SUMS] of its key, `cells` int64 [cells]."""
    for cell in range(len(cells)):
        key, step = cells[cell], wide_of(sums, cell)
        add_to(own, key, step)
        add_to(own, key, difference_of(wide_of(sums, cell, K), product_of(step, wide_of(moves, cell))), K)
        add_to(own, key, wide_of(sums, cell, 2 * K), 2 * K)


def solve_keys(
    sums: np.ndarray, prior: np.ndarray, keys: np.ndarray, moved: np.ndarray, moments: np.ndarray, learn: bool
) -> None:
    """Moves the means of all keys to where the rows' `sums` [keys, N_SUMS] and `prior` balance, and writes variances.

    `prior` float64 [4, 4] is the inverse covariance. Writes by how much each mean moved into `moved` [keys, 4]. If
    `learn`, adds to `moments` float64 [2, 4, 4] the products of the means, and the covariances of the keys.
    """
    work, found = np.zeros(lanes.N_LINES * LANES), np.zeros(lanes.N_SUMS * LANES)
    _solve_keys(sums, prior, keys, moved, learn, work, found)
    if learn:
        lanes.add_whole(found, moments)


@_compiled
def _solve_keys(
    sums: np.ndarray,
    prior: np.ndarray,
    keys: np.ndarray,
    moved: np.ndarray,
    learn: bool,
    work: np.ndarray,
    found: np.ndarray,
) -> None:
    for lane in range(LANES):
        lanes.put_below(work, lane, prior)
    diagonal = prior[0, 0], prior[1, 1], prior[2, 2], prior[3, 3]
    for first in range(1, len(keys), LANES):
        count = min(LANES, len(keys) - first)
        for lane in range(count):
            step, mean = wide_of(sums, first + lane), wide_of(keys, first + lane)
            lanes.put(work, lanes.MATRIX, lane, total_of(diagonal, step))
            lanes.put(work, lanes.RIGHT, lane, total_of(wide_of(sums, first + lane, K), product_of(step, mean)))
        for lane in range(count, LANES):
            lanes.put(work, lanes.MATRIX, lane, diagonal)
            lanes.put(work, lanes.RIGHT, lane, (0.0, 0.0, 0.0, 0.0))
        lanes.factor(work)
        lanes.solve(work)
        for lane in range(count):
            lanes.put(work, lanes.MATRIX, lane, total_of(diagonal, wide_of(sums, first + lane, 2 * K)))
        lanes.factor(work)
        lanes.invert(work)
        for lane in range(count):
            mean = lanes.get(work, lanes.SOLUTION, lane)
            write_to(moved, first + lane, difference_of(mean, wide_of(keys, first + lane)))
            write_to(keys, first + lane, mean)
            write_to(keys, first + lane, lanes.get(work, lanes.INVERSE, lane), K)
        if learn:
            lanes.add_moments(work, count, found)
