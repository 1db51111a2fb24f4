"""Sums of the rows by code, in the order of the rows: the same on any number of threads."""

from collections.abc import Sequence

import numpy as np

_FEW_CODES = 1 << 16
"""With more codes than this, sums of a block are added to those of all blocks one by one."""


def sums_by_code(codes: np.ndarray, values: Sequence[np.ndarray], size: int) -> list[np.ndarray]:
    """Returns for each of `values` float64 [n, k] the sums of the rows with each of `codes` int [n]: [size, k]."""
    if values[0].shape[1] == 1:
        codes = codes.astype(np.intp)
        return [np.bincount(codes, one[:, 0], size)[:, np.newaxis] for one in values]
    from scipy.sparse import csc_array

    ends = np.arange(len(codes) + 1, dtype=codes.dtype)  # of another type, scipy would copy the codes
    matrix = csc_array((np.ones(len(codes)), codes, ends), shape=(size, len(codes)))
    return [matrix @ one for one in values]


def add_sums(totals: Sequence[np.ndarray], codes: np.ndarray, values: Sequence[np.ndarray]) -> None:
    """Adds what `sums_by_code` returns to each of `totals`, float64 [size, k]."""
    size = len(totals[0])
    if size <= _FEW_CODES:
        for total, found in zip(totals, sums_by_code(codes, values, size), strict=True):
            np.add(total, found, out=total)
        return
    codes = codes.astype(np.intp)
    for total, one in zip(totals, values, strict=True):
        for problem in range(one.shape[1]):
            np.add.at(total[:, problem], codes, one[:, problem])
