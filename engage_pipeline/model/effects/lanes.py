"""Solutions of 4 x 4 systems for LANES keys at a time, compiled by numba to share the processor's wide instructions.

What is worked on is one flat array `work` float64 [N_LINES x LANES]: a line of LANES numbers for each of the numbers
below, a number for each key. A flat array and constant places let the compiler see that lines don't overlap, and
without Python's errors for a division by zero nothing leaves the loop early: both are needed for wide instructions,
which are four times as fast. What does not belong here: which keys, and what their rows say (kernels).
"""

from math import sqrt

import numpy as np

from engage_pipeline.numerics.compilation import compiled_within
from engage_pipeline.numerics.fours import Four, add_to, four_of, product_of

LANES = 16
# Numbers of numpy: for each int of Python numba compiles `get` and `put` anew.
MATRIX, BELOW = np.int64(0), np.int64(4)
"""Of a symmetric 4 x 4 matrix the diagonal, and 10, 20, 30, 21, 31, 32 (row, column)."""
RIGHT, SOLUTION, INVERSE = map(np.int64, (10, 14, 18))
"""Right side and solution of the system, and of the inverse of the matrix what is in MATRIX and BELOW."""
_ROOT, _LOWER = np.int64(28), np.int64(32)
"""Of the Cholesky factor one over each element of the diagonal, and the elements below it."""
N_LINES = 38
_ROWS, _COLUMNS = np.array([0, 1, 2, 3, 1, 2, 3, 2, 3, 3]), np.array([0, 1, 2, 3, 0, 0, 0, 1, 1, 2])
"""The places of MATRIX and BELOW."""
_PRODUCTS = 10
N_SUMS = 2 * _PRODUCTS
"""Lines of sums: of these places of the products of solutions, and of the inverses."""
_inner = compiled_within(error_model="numpy")


@_inner
def _at(work: np.ndarray, line: int, lane: int) -> float:
    return float(work[line * LANES + lane])


@_inner
def put(work: np.ndarray, line: int, lane: int, four: Four) -> None:
    """Writes four numbers of a key into four lines, from `line` on."""
    work[line * LANES + lane] = four[0]
    work[(line + 1) * LANES + lane] = four[1]
    work[(line + 2) * LANES + lane] = four[2]
    work[(line + 3) * LANES + lane] = four[3]


@_inner
def get(work: np.ndarray, line: int, lane: int) -> Four:
    """Returns the numbers of a key in four lines, from `line` on."""
    return _at(work, line, lane), _at(work, line + 1, lane), _at(work, line + 2, lane), _at(work, line + 3, lane)


@_inner
def put_below(work: np.ndarray, lane: int, matrix: np.ndarray) -> None:
    """Writes what `matrix` [4, 4] has below its diagonal."""
    line = BELOW
    for column in range(3):
        for row in range(column + 1, 4):
            work[line * LANES + lane] = matrix[row, column]
            line += 1


@_inner
def factor(work: np.ndarray) -> None:
    """Factors the matrix of each lane, for `solve` and `invert`."""
    for lane in range(LANES):
        a, b, c, d = get(work, MATRIX, lane)
        root0 = 1 / sqrt(a)
        l10, l20 = _at(work, BELOW, lane) * root0, _at(work, BELOW + 1, lane) * root0
        l30 = _at(work, BELOW + 2, lane) * root0
        root1 = 1 / sqrt(b - l10 * l10)
        l21 = (_at(work, BELOW + 3, lane) - l20 * l10) * root1
        l31 = (_at(work, BELOW + 4, lane) - l30 * l10) * root1
        root2 = 1 / sqrt(c - l20 * l20 - l21 * l21)
        l32 = (_at(work, BELOW + 5, lane) - l30 * l20 - l31 * l21) * root2
        root3 = 1 / sqrt(d - l30 * l30 - l31 * l31 - l32 * l32)
        put(work, _ROOT, lane, (root0, root1, root2, root3))
        put(work, _LOWER, lane, (l10, l20, l30, l21))
        work[(_LOWER + 4) * LANES + lane] = l31
        work[(_LOWER + 5) * LANES + lane] = l32


@_inner
def solve(work: np.ndarray) -> None:
    """Solves matrix x solution = right in each lane."""
    for lane in range(LANES):
        root0, root1, root2, root3 = get(work, _ROOT, lane)
        l10, l20, l30, l21 = get(work, _LOWER, lane)
        l31, l32 = _at(work, _LOWER + 4, lane), _at(work, _LOWER + 5, lane)
        a, b, c, d = get(work, RIGHT, lane)
        a *= root0
        b = (b - l10 * a) * root1
        c = (c - l20 * a - l21 * b) * root2
        d = (d - l30 * a - l31 * b - l32 * c) * root3
        d *= root3
        c = (c - l32 * d) * root2
        b = (b - l21 * c - l31 * d) * root1
        a = (a - l10 * b - l20 * c - l30 * d) * root0
        put(work, SOLUTION, lane, (a, b, c, d))


@_inner
def invert(work: np.ndarray) -> None:
    """Writes the inverse of each lane's matrix."""
    for lane in range(LANES):
        root0, root1, root2, root3 = get(work, _ROOT, lane)
        l10, l20, l30, l21 = get(work, _LOWER, lane)
        l31, l32 = _at(work, _LOWER + 4, lane), _at(work, _LOWER + 5, lane)
        i10 = -l10 * root0 * root1  # the factor's inverse, row by row
        i20, i21 = -(l20 * root0 + l21 * i10) * root2, -l21 * root1 * root2
        i30 = -(l30 * root0 + l31 * i10 + l32 * i20) * root3
        i31, i32 = -(l31 * root1 + l32 * i21) * root3, -l32 * root2 * root3
        a = root0 * root0 + i10 * i10 + i20 * i20 + i30 * i30
        b = root1 * root1 + i21 * i21 + i31 * i31
        c = root2 * root2 + i32 * i32
        put(work, INVERSE, lane, (a, b, c, root3 * root3))
        below = i10 * root1 + i20 * i21 + i30 * i31, i20 * root2 + i30 * i32, i30 * root3, i21 * root2 + i31 * i32
        put(work, INVERSE + 4, lane, below)
        work[(INVERSE + 8) * LANES + lane] = i31 * root3
        work[(INVERSE + 9) * LANES + lane] = i32 * root3


@_inner
def add_moments(work: np.ndarray, count: int, sums: np.ndarray) -> None:
    """Adds the products of the solutions of the first `count` lanes, and their inverses, to `sums` [N_SUMS x LANES].

    The solutions of the other lanes are 0.
    """
    lines, added = work.reshape(N_LINES, LANES), sums.reshape(N_SUMS, LANES)
    for lane in range(count, LANES):
        lines[INVERSE : INVERSE + _PRODUCTS, lane] = 0
    for pair in range(_PRODUCTS):
        row, column = SOLUTION + _ROWS[pair], SOLUTION + _COLUMNS[pair]
        for lane in range(0, LANES, 4):
            add_to(added, pair, product_of(four_of(lines, row, lane), four_of(lines, column, lane)), lane)
            add_to(added, _PRODUCTS + pair, four_of(lines, INVERSE + pair, lane), lane)


def add_whole(sums: np.ndarray, moments: np.ndarray) -> None:
    """Adds what `add_moments` summed to `moments` float64 [2, 4, 4]: of the solutions, and of the inverses."""
    found = np.add.accumulate(sums.reshape(2, _PRODUCTS, LANES), axis=2)[:, :, -1]  # in the order of the lanes
    moments[:, _ROWS, _COLUMNS] += found
    moments[:, _COLUMNS[4:], _ROWS[4:]] += found[:, 4:]
