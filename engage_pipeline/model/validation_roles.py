"""Who may learn from the label of which validation row: the one place that says so.

A validation row is held out, or a fine-tuning row of one of the chunks 0 … num_validation_chunks - 1 (`schema.SPLIT`).

| rows | whose labels they are for |
|---|---|
| held out | nobody's: the models are compared on them |
| fine-tuning | the effects, each row scored by a fit without its fold |
| fine-tuning, not of the last chunk | the network and the trees |
| of the last chunk | the weights of the blend; the network too where there are no trees, as nothing is blended then |

The `split` of every function below is the column of the validation rows, int [n]. What does not belong here: which rows
are held out (ingest.validation_split), and which labels a counter holds (interactions.counters.counting).
"""

import numpy as np
from numpy.typing import NDArray

from engage_pipeline.schema import HOLDOUT
from engage_pipeline.settings.settings import Settings

TRAINING_ROW, HOLDOUT_ROW = -1, -2
"""In place of a fold: of the rows of training parts, and of held-out rows."""


def held_out(split: NDArray[np.integer]) -> NDArray[np.bool_]:
    """The rows that no model learns from, bool [n]."""
    return split == HOLDOUT


def blends(split: NDArray[np.integer], settings: Settings) -> NDArray[np.bool_]:
    """The rows that choose the weights of the blend, bool [n]."""
    return split == settings.num_validation_chunks - 1


def trains_network(split: NDArray[np.integer], settings: Settings) -> NDArray[np.bool_]:
    """The rows that fine-tune the network, bool [n]."""
    kept = ~held_out(split)
    return kept & ~blends(split, settings) if settings.trees.enabled else kept


def trains_trees(split: NDArray[np.integer], settings: Settings) -> NDArray[np.bool_]:
    """The rows that trees are grown on, bool [n]."""
    return ~held_out(split) & ~blends(split, settings)


def effect_folds(split: NDArray[np.integer], folds: int) -> NDArray[np.int64]:
    """The fold of each row for the effects, int64 [n]: 0 … folds - 1, or HOLDOUT_ROW."""
    found = np.full(len(split), HOLDOUT_ROW, np.int64)
    learning = ~held_out(split)
    found[learning] = folds_of(split[learning], folds)
    return found


def folds_of(chunks: NDArray[np.integer], folds: int) -> NDArray[np.int64]:
    """The fold 0 … folds - 1 of each fine-tuning row, int64 [n], by its chunk int [n].

    Whole chunks in turn: rows of a chunk are counted without each other. Single rows where chunks are too few.
    """
    names, chunk = np.unique(chunks, return_inverse=True)
    return chunk % folds if len(names) >= folds else np.arange(len(chunks)) % folds
