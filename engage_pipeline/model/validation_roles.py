"""Folds of the fine-tuning rows, the same for everything that is fitted on all folds but one."""

import numpy as np


def folds_of(chunks: np.ndarray, folds: int) -> np.ndarray:
    """The fold 0 … folds - 1 of each row, int64 [n], by its chunk int [n].

    Whole chunks in turn: rows of a chunk are counted without each other. Single rows where chunks are too few.
    """
    names, chunk = np.unique(chunks, return_inverse=True)
    return chunk % folds if len(names) >= folds else np.arange(len(chunks)) % folds
