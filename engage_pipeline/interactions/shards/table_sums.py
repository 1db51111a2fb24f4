"""The loop that adds up a key with few values: each id's rows in a small table of their own, compiled by numba."""

import numpy as np

from engage_pipeline.numerics.compilation import compiled


@compiled()
def sum_by_id(
    starts: np.ndarray, values: np.ndarray, folds: np.ndarray, labels: np.ndarray, words: np.ndarray, cells: np.ndarray
) -> np.ndarray:
    """Returns the sums of each row's id and value over the rows of other folds, uint64 [n, words]; 0 for the value 0.

    The rows of id i are those from `starts` int64 [i] to the next. `values` uint16 [n] and `folds` int32 [n] count from
    0; `words` uint64 [words, any] are what a row with one of `labels` uint8 [n] adds.

    `cells` uint64 [values, folds + 1, words] is where an id is added up: all 0, before and after. The last of its folds
    is the total.
    """
    left = np.zeros((len(values), len(words)), np.uint64)
    total = cells.shape[1] - 1
    for group in range(len(starts)):
        rows = range(starts[group], starts[group + 1] if group + 1 < len(starts) else len(values))
        for row in rows:
            for word in range(len(words)):
                cells[values[row], folds[row], word] += words[word, labels[row]]
                cells[values[row], total, word] += words[word, labels[row]]
        for row in rows:
            if values[row]:
                for word in range(len(words)):
                    left[row, word] = cells[values[row], total, word] - cells[values[row], folds[row], word]
        for row in rows:
            for word in range(len(words)):
                cells[values[row], folds[row], word] = cells[values[row], total, word] = 0
    return left
