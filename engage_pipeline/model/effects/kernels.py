"""The inner loops of the fit, compiled: what rows say, sums over rows, solutions for keys.

Arrays of rows are float32 [n, 4] and in the order of a block. Those of keys are float32 [keys, 8], the means of four
effects and their variances, key 0 being that of rows without one, which stays 0. Sums over many keys are float64.
What does not belong here: the arithmetic of a solution (lanes), the order of the steps (fitting).
"""

from math import exp, log, pi, sqrt

import numpy as np

from engage_pipeline.model.effects import lanes
from engage_pipeline.model.effects.lanes import LANES, Four
from engage_pipeline.numerics.compilation import compiled, compiled_within

K = 4
"""The engagements."""
N_SUMS = 3 * K
"""Of the rows of a key: `step`, `pull` and `information`, each for four engagements."""
_LEAST = 1e-12
_compiled, _inner = compiled(), compiled_within()


@_compiled
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
    loss = 0.0
    for row in range(len(odds)):
        weight, own = np.float64(weights[row]), labels[row]
        for one in range(K):
            if weight <= 0:
                residual[row, one] = step[row, one] = 0
                breadth[row, one] = np.inf
                continue
            mean, variance = np.float64(odds[row, one]), np.float64(variances[row, one])
            narrow = 1 / sqrt(1 + pi / 8 * variance)
            chance = 1 / (1 + exp(-narrow * mean))
            information = max(narrow * chance * (1 - chance), _LEAST)
            size = abs(mean)
            bound = (0.5 - 1 / (1 + exp(size))) / size if size > 1e-2 else 0.25
            happened = own >> one & 1
            residual[row, one] = weight * (happened - chance)
            step[row, one] = weight * (caution * bound + (1 - caution) * information)
            breadth[row, one] = 1 / (weight * information) + variance
            loss -= weight * log(max(chance if happened else 1 - chance, _LEAST))
    return loss


@_inner
def _four(values: np.ndarray, row: int, first: int = 0) -> Four:
    return values[row, first], values[row, first + 1], values[row, first + 2], values[row, first + 3]


@_inner
def _add(values: np.ndarray, row: int, more: Four, first: int = 0) -> None:
    """Adds to four numbers of a row: all are read before one is written, so that they share an instruction."""
    before = _four(values, row, first)
    values[row, first] = before[0] + more[0]
    values[row, first + 1] = before[1] + more[1]
    values[row, first + 2] = before[2] + more[2]
    values[row, first + 3] = before[3] + more[3]


@_inner
def _write(values: np.ndarray, row: int, four: Four, first: int = 0) -> None:
    values[row, first], values[row, first + 1], values[row, first + 2], values[row, first + 3] = four


@_inner
def _sum(one: Four, other: Four) -> Four:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3]


@_inner
def _product(one: Four, other: Four) -> Four:
    return one[0] * other[0], one[1] * other[1], one[2] * other[2], one[3] * other[3]


@_inner
def _times(factor: float, four: Four) -> Four:
    return factor * four[0], factor * four[1], factor * four[2], factor * four[3]


@_inner
def _wide(values: np.ndarray, row: int, first: int = 0) -> Four:
    """Returns four numbers of a row as float64."""
    a, b, c, d = _four(values, row, first)
    return np.float64(a), np.float64(b), np.float64(c), np.float64(d)


@_compiled
def add_keys(codes: np.ndarray, slopes: np.ndarray, keys: np.ndarray, odds: np.ndarray, variances: np.ndarray) -> None:
    """Adds mean and variance of the key of each row to `odds` and `variances`.

    The effects count `slopes` [n] times; once if they are [0].
    """
    for row in range(len(codes)):
        code = np.intp(np.uint32(codes[row]))
        mean, variance = _four(keys, code), _four(keys, code, K)
        if len(slopes):
            slope = slopes[row]
            mean, variance = _times(slope, mean), _times(slope * slope, variance)
        _add(odds, row, mean)
        _add(variances, row, variance)


@_compiled
def sum_rows(
    codes: np.ndarray,
    slopes: np.ndarray,
    residual: np.ndarray,
    step: np.ndarray,
    breadth: np.ndarray,
    keys: np.ndarray,
    sums: np.ndarray,
) -> None:
    """Adds step, residual and information of each row to `sums` [keys, N_SUMS] of its key.

    The information of a row is 1 / breadth, without the variance of the key itself.
    """
    one = np.float32(1)
    for row in range(len(codes)):
        code = np.intp(np.uint32(codes[row]))
        curvature, pull = _four(step, row), _four(residual, row)
        a, b, c, d = _four(breadth, row)
        e, f, g, h = _four(keys, code, K)
        if len(slopes):
            slope = slopes[row]
            square = slope * slope
            curvature, pull = _times(square, curvature), _times(slope, pull)
            e, f, g, h = _times(square, (e, f, g, h))
            information = square / (a - e), square / (b - f), square / (c - g), square / (d - h)
        else:
            information = one / (a - e), one / (b - f), one / (c - g), one / (d - h)
        _add(sums, code, curvature)
        _add(sums, code, pull, K)
        _add(sums, code, information, 2 * K)


@_compiled
def move_rows(codes: np.ndarray, slopes: np.ndarray, moved: np.ndarray, step: np.ndarray, residual: np.ndarray) -> None:
    """Takes from `residual` what the log-odds of the rows `moved` [keys, 4] by, times `step`."""
    for row in range(len(codes)):
        own = _product(_four(step, row), _four(moved, np.intp(np.uint32(codes[row]))))
        _add(residual, row, _times(-slopes[row] if len(slopes) else np.float32(-1), own))


@_compiled
def sum_cells(cells: np.ndarray, sums: np.ndarray, moves: np.ndarray, own: np.ndarray) -> None:
    """Adds `sums` [cells, N_SUMS] of each cell, whose log-odds have moved by `moves` [cells, 4] since they were made,
    to `own` [keys, N_SUMS] of its key, `cells` int64 [cells]."""
    for cell in range(len(cells)):
        key, step = cells[cell], _wide(sums, cell)
        a, b, c, d = _product(step, _wide(moves, cell))
        e, f, g, h = _wide(sums, cell, K)
        _add(own, key, step)
        _add(own, key, (e - a, f - b, g - c, h - d), K)
        _add(own, key, _wide(sums, cell, 2 * K), 2 * K)


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
            step, mean = _wide(sums, first + lane), _wide(keys, first + lane)
            lanes.put(work, lanes.MATRIX, lane, _sum(diagonal, step))
            lanes.put(work, lanes.RIGHT, lane, _sum(_wide(sums, first + lane, K), _product(step, mean)))
        for lane in range(count, LANES):
            lanes.put(work, lanes.MATRIX, lane, diagonal)
            lanes.put(work, lanes.RIGHT, lane, (0.0, 0.0, 0.0, 0.0))
        lanes.factor(work)
        lanes.solve(work)
        for lane in range(count):
            lanes.put(work, lanes.MATRIX, lane, _sum(diagonal, _wide(sums, first + lane, 2 * K)))
        lanes.factor(work)
        lanes.invert(work)
        for lane in range(count):
            a, b, c, d = _wide(keys, first + lane)
            mean = lanes.get(work, lanes.SOLUTION, lane)
            _write(moved, first + lane, (mean[0] - a, mean[1] - b, mean[2] - c, mean[3] - d))
            _write(keys, first + lane, mean)
            _write(keys, first + lane, lanes.get(work, lanes.INVERSE, lane), K)
        if learn:
            lanes.add_moments(work, count, found)


@_compiled
def sum_children(parents: np.ndarray, keys: np.ndarray, counts: np.ndarray, totals: np.ndarray) -> None:
    """Adds 1 and the mean of each key to `counts` [coarse] and `totals` [coarse, 4] of its parent; 0 is none."""
    for key in range(len(keys)):
        counts[parents[key]] += 1
        _add(totals, parents[key], _wide(keys, key))


def shift_parents(
    counts: np.ndarray, totals: np.ndarray, keys: np.ndarray, fine: np.ndarray, coarse: np.ndarray
) -> None:
    """Adds to the means of each of `keys`, of a coarse effect, what it takes over from its children; leaves it in
    `totals`. The first key is left as it is.

    `fine` and `coarse` float64 [4, 4] are inverse covariances: of shifts s, (mean + s)' coarse (mean + s) and the sum
    of (child - s)' fine (child - s) over the children are least together.
    """
    parents = 1 + np.flatnonzero(counts[1:])
    _shift_parents(parents, counts, totals, keys, fine, coarse, np.zeros(lanes.N_LINES * LANES), np.zeros((K, K)))


@_compiled
def _shift_parents(
    parents: np.ndarray,
    counts: np.ndarray,
    totals: np.ndarray,
    keys: np.ndarray,
    fine: np.ndarray,
    coarse: np.ndarray,
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
                    right += fine[i, j] * totals[key, j] - coarse[i, j] * keys[key, j]
                    matrix[i, j] = counts[key] * fine[i, j] + coarse[i, j]
                work[(lanes.RIGHT + i) * LANES + lane] = right
            lanes.put_below(work, lane, matrix)
            lanes.put(work, lanes.MATRIX, lane, (matrix[0, 0], matrix[1, 1], matrix[2, 2], matrix[3, 3]))
        lanes.factor(work)
        lanes.solve(work)
        for lane in range(count):
            shift = lanes.get(work, lanes.SOLUTION, lane)
            _add(keys, parents[first + lane], shift)
            _write(totals, parents[first + lane], shift)


@_compiled
def take_from_children(parents: np.ndarray, keys: np.ndarray, shifts: np.ndarray) -> None:
    """Subtracts the shift [coarse, 4] of its parent from the mean of each key."""
    for key in range(len(keys)):
        _add(keys, key, _times(-1.0, _wide(shifts, parents[key])))
