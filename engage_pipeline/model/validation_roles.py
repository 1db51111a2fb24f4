"""The roles of validation rows: which model may learn from the label of which row.

A validation row is held out, or a fine-tuning row of one of the chunks 0 … num_validation_chunks - 1 (`schema.SPLIT`).

| rows | who learns from their labels |
|---|---|
| held out | no model that is compared: the models are compared on them |
| fine-tuning | network, effects and trees, and the weights of their blend |
| all | the published models |

The weights rest on logits of models that did not learn from the row: network, effects and trees are also trained
without each of a few folds of the fine-tuning rows, and score it.

Each model is trained twice: as above, to be compared on the holdout (files named DECIDED), and then, if settings.refit,
on all rows, to predict. So no label is lost, and none that decides has taught what it decides on.

The `split` of every function below is the column of the validation rows, int [n]. What does not belong here: choosing
the held-out rows (ingest.validation_split), and the labels in counters (interactions.counters.counting).
"""

import numpy as np
from numpy.typing import NDArray

from engage_pipeline.schema import HOLDOUT
from engage_pipeline.settings.settings import Settings

DECIDED = "decided_"
"""Begins the names of the files of models that no label has taught that decides."""
TRAINING_ROW, HOLDOUT_ROW = -1, -2
"""Values in place of a fold, for rows of training parts and for held-out rows."""


def held_out(split: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Returns the rows on which models are compared, bool [n]."""
    return split == HOLDOUT


def fine_tunes(split: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Returns the rows that the compared models learn from, bool [n]."""
    return ~held_out(split)


def tested_folds(folds: NDArray[np.integer], settings: Settings) -> list[int]:
    """Returns the first of `folds` int [n] that together have trees.tested_rows rows, or all."""
    names, rows = np.unique(folds, return_counts=True)
    enough = int(np.searchsorted(np.cumsum(rows), settings.trees.tested_rows)) + 1
    found: list[int] = names[:enough].tolist()
    return found


def all_rows(split: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Returns the rows that the published models learn from: all, bool [n]."""
    return np.ones(len(split), np.bool_)


def effect_folds(split: NDArray[np.integer], folds: int) -> NDArray[np.int64]:
    """Returns the fold of each row for the effects, int64 [n]: 0 … folds - 1, or HOLDOUT_ROW."""
    found = np.full(len(split), HOLDOUT_ROW, np.int64)
    learning = ~held_out(split)
    found[learning] = folds_of(split[learning], folds)
    return found


def folds_of(chunks: NDArray[np.integer], folds: int) -> NDArray[np.int64]:
    """Returns the fold 0 … folds - 1 of each fine-tuning row, int64 [n], by its chunk, int [n].

    Folds are whole chunks in turn, because the counters of a row leave out its chunk. If there are fewer chunks than
    folds, they are single rows in turn.
    """
    names, chunk = np.unique(chunks, return_inverse=True)
    return chunk % folds if len(names) >= folds else np.arange(len(chunks)) % folds
