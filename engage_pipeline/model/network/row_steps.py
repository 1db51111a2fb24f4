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


def sum_by_row(rows: np.ndarray, gradients: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the distinct of `rows` int64 [n], in the order in which they come, and the sums of their `gradients`
    float32 [n, size]. `last`, as in Table, has no meaning of these rows until they are moved."""
    found, sums = np.empty_like(rows), np.empty_like(gradients)
    count = _sum_by_row(rows, gradients, last, found, sums)
    return found[:count], sums[:count]


@_compiled
def _sum_by_row(rows: np.ndarray, gradients: np.ndarray, last: np.ndarray, found: np.ndarray, sums: np.ndarray) -> int:
    count = 0
    for entry in range(len(rows)):
        row = rows[entry]
        if last[row] >= 0:
            found[count] = row
            for place in range(sums.shape[1]):
                sums[count, place] = gradients[entry, place]
            count += 1
            last[row] = -count
        else:
            number = -last[row] - 1
            for place in range(sums.shape[1]):
                sums[number, place] += gradients[entry, place]
    return count


@_compiled
def sum_by_word(
    words: np.ndarray,
    firsts: np.ndarray,
    gradients: np.ndarray,
    numbers: np.ndarray,
    found: np.ndarray,
    sums: np.ndarray,
) -> int:
    """Finds the distinct of `words` int64 [n], in the order in which they come, and the sums of their gradients;
    returns how many there are.

    The words from `firsts[i]` int64 up to the next first have `gradients[i]`, of float32 [texts, size]. `numbers` int32
    has -1 of each word that there is; `found` int64 [n] and `sums` float32 [n, size] get the result.
    """
    count = 0
    for text in range(len(firsts)):
        end = firsts[text + 1] if text + 1 < len(firsts) else len(words)
        for entry in range(firsts[text], end):
            word = words[entry]
            number = numbers[word]
            if number < 0:
                numbers[word] = count
                found[count] = word
                for place in range(sums.shape[1]):
                    sums[count, place] = gradients[text, place]
                count += 1
            else:
                for place in range(sums.shape[1]):
                    sums[number, place] += gradients[text, place]
    return count


@_compiled
def move_rows(
    rows: np.ndarray, gradients: np.ndarray, step: int, base: int, rate: float, decay: float, rule: Rule, table: Table
) -> None:
    """Makes a step of AdamW for `rows` int64 [n], each there once and moved up to the step before, with `gradients`
    float32 [n, size]."""
    beta1, beta2, eps = rule
    weights, mean, square, last = table
    keep, least = np.float32(1 - rate * decay), np.float32(eps)
    old1, new1, old2, new2 = np.float32(beta1), np.float32(1 - beta1), np.float32(beta2), np.float32(1 - beta2)
    size = np.float32(rate / (1 - beta1 ** (base + step)))
    bias = np.float32(1 / sqrt(1 - beta2 ** (base + step)))
    for entry in range(len(rows)):
        row = rows[entry]
        last[row] = step
        for place in range(gradients.shape[1]):
            gradient = gradients[entry, place]
            mean[row, place] = old1 * mean[row, place] + new1 * gradient
            square[row, place] = old2 * square[row, place] + new2 * gradient * gradient
            move = size * mean[row, place] / (sqrt(square[row, place]) * bias + least)
            weights[row, place] = weights[row, place] * keep - move
