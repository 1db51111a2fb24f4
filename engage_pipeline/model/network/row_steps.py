"""AdamW by row: the loops of TableAdamW over the rows of a table of embeddings, compiled by numba.

A table's `weights` and their moments, `mean` and `square`, are float32 [rows, size]. Steps are counted from the last
settling, which was after step `base` of the training: `last` int64 [rows] is the one that a row was moved up to, and
`kept` and `moved` float64 [steps] are A(t) and S(t, T) of TableAdamW.
"""

from math import sqrt
from typing import NamedTuple

import numpy as np

from engage_pipeline.numerics.compilation import compiled

WINDOW = 256
"""Steps after which momentum has no effect: (0.9 / sqrt(0.999))^256 is 2e-12."""
_compiled = compiled(error_model="numpy")


class Rule(NamedTuple):
    """AdamW's b1, b2 and eps."""

    beta1: float
    beta2: float
    eps: float


class Table(NamedTuple):
    """What a step of rows changes."""

    weights: np.ndarray
    mean: np.ndarray
    square: np.ndarray
    last: np.ndarray


@_compiled
def note_step(step: int, base: int, rate: float, decay: float, rule: Rule, kept: np.ndarray, moved: np.ndarray) -> None:
    """Adds `step`, counted from 1, to A and S, with its learning rate and weight decay."""
    beta1, beta2, _ = rule
    keep = 1 - rate * decay
    kept[step] = kept[step - 1] * keep
    moved[step] = 0
    effect = rate * sqrt(1 - beta2 ** (base + step)) / (1 - beta1 ** (base + step))
    ratio = beta1 / sqrt(beta2)
    for before in range(step - 1, max(step - WINDOW, 0) - 1, -1):
        effect *= ratio
        moved[before] = moved[before] * keep + effect


@_compiled
def catch_up(
    rows: np.ndarray, step: int, base: int, rule: Rule, table: Table, kept: np.ndarray, moved: np.ndarray
) -> None:
    """Moves `rows` int64 [n] as they moved without gradients up to `step`; a row may be there many times."""
    beta1, beta2, eps = rule
    weights, mean, square, last = table
    for entry in range(len(rows)):
        row = rows[entry]
        then = last[row]
        if then == step:
            continue
        last[row] = step
        keep = np.float32(kept[step] / kept[then])
        move = np.float32(moved[then] * kept[step] / kept[min(then + WINDOW, step)])
        least = np.float32(eps * sqrt(1 - beta2 ** (base + then)))
        decay1, decay2 = np.float32(beta1 ** (step - then)), np.float32(beta2 ** (step - then))
        for place in range(weights.shape[1]):
            one = mean[row, place]
            if one != 0:
                one = move * one / (sqrt(square[row, place]) + least)
            weights[row, place] = weights[row, place] * keep - one
            mean[row, place] *= decay1
            square[row, place] *= decay2


def move_rows(
    rows: np.ndarray, gradients: np.ndarray, step: int, base: int, rate: float, decay: float, rule: Rule, table: Table
) -> None:
    """Makes a step of AdamW for `rows` int64 [n], moved up to the step before, with `gradients` float32 [n, size].

    The gradients of a row that is there many times are summed.
    """
    summed, found = np.zeros_like(gradients), np.empty(len(rows), np.int64)
    _move_rows(rows, gradients, step, base, rate, decay, rule, table, summed, found)


@_compiled
def _move_rows(
    rows: np.ndarray,
    gradients: np.ndarray,
    step: int,
    base: int,
    rate: float,
    decay: float,
    rule: Rule,
    table: Table,
    summed: np.ndarray,
    found: np.ndarray,
) -> None:
    beta1, beta2, eps = rule
    weights, mean, square, last = table
    n_found = 0
    for entry in range(len(rows)):
        row = rows[entry]
        if last[row] >= 0:
            found[n_found] = row
            n_found += 1
            last[row] = -n_found  # until it is moved, its place in `summed`
        place_of_sum = -last[row] - 1
        for place in range(gradients.shape[1]):
            summed[place_of_sum, place] += gradients[entry, place]
    keep, least = np.float32(1 - rate * decay), np.float32(eps)
    old1, new1, old2, new2 = np.float32(beta1), np.float32(1 - beta1), np.float32(beta2), np.float32(1 - beta2)
    size = np.float32(rate / (1 - beta1 ** (base + step)))
    bias = np.float32(1 / sqrt(1 - beta2 ** (base + step)))
    for number in range(n_found):
        row = found[number]
        last[row] = step
        for place in range(gradients.shape[1]):
            gradient = summed[number, place]
            mean[row, place] = old1 * mean[row, place] + new1 * gradient
            square[row, place] = old2 * square[row, place] + new2 * gradient * gradient
            move = size * mean[row, place] / (sqrt(square[row, place]) * bias + least)
            weights[row, place] = weights[row, place] * keep - move
