"""Reads the validation rows for the trees from validation_features into one matrix.

The published trees learn from all of them; those that are compared learn from the fine-tuning rows: the holdout is for
the evaluation. Beyond trees.max_rows they are a sample: each row is drawn with the same chance, without replacement, by
the setting `seed`, and the sample keeps the order of the file. If the trees read counts inside the scored file, that
file is the whole validation part, and some rows have no counts, as rows that are predicted alone. What does not belong
here: the columns (inputs), and growing trees (training).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.files.parquet import rows_at
from engage_pipeline.interactions.features.rows import FeatureFile
from engage_pipeline.interactions.features.scored_file import ScoredFile
from engage_pipeline.model.trees.inputs import LANGUAGE, NEGATIVE, TreeInputs
from engage_pipeline.model.validation_roles import fine_tunes, folds_of
from engage_pipeline.progress import progress
from engage_pipeline.settings.settings import Settings

BATCH_ROWS = 16_384
LEAST_LANGUAGE_ROWS = 20
"""A language with fewer rows gets no category."""


class LogitSource(Protocol):
    """A model that scores feature rows, such as the network."""

    def logits(self, table: pa.Table) -> np.ndarray:
        """Returns the logits of the rows of `table`, [n, 4] in the order of schema.TARGETS."""


@dataclass(frozen=True)
class TreeRows:
    """Validation rows: `matrix` float32 [n, columns], `labels` bool [n, 4].

    `places` int [n]: their positions in the file. `learning` int [m]: the positions of those that trees to be compared
    learn from. `folds` int [m] in 0 … folds - 1.
    """

    inputs: TreeInputs
    matrix: np.ndarray
    labels: np.ndarray
    places: np.ndarray
    learning: np.ndarray
    folds: np.ndarray


def read_tree_rows(features: Path, pretrained: LogitSource, effects: np.ndarray, settings: Settings) -> TreeRows:
    """Reads the rows of the Parquet file `features`, at most trees.max_rows, in the order of the file.

    `effects` are effects.columns.EFFECT_COLUMNS of all rows of the file, float32 [n, 4], fitted without their labels.
    Raises UserError naming the file if it has no training rows.
    """
    file = FeatureFile(features)
    split = file.read([schema.SPLIT])[schema.SPLIT].to_numpy()
    chosen = _choose(len(split), settings)
    learning = np.flatnonzero(fine_tunes(split[chosen]))
    if not len(learning):
        raise UserError(f"{features}: no fine-tuning rows to train trees on")
    described = pa.concat_tables(rows_at(file, chosen, BATCH_ROWS, [LANGUAGE, *schema.TARGETS]))
    labels = np.column_stack([described[target].to_numpy() for target in schema.TARGETS])
    inputs = TreeInputs(
        _languages(described[LANGUAGE].take(pa.array(learning))),
        _base_rates(labels[learning]),
        settings.trees.prior_weight,
        schema.further_counters(settings.features.counters),
        bool(settings.features.scored_file),
    )
    counts = ScoredFile.read(features).with_rows_alone() if inputs.scored_file else None
    matrix = np.empty((len(chosen), len(inputs.columns)), np.float32)
    done = 0
    with progress("rows of the trees", len(chosen)) as tracker:
        for features_table in rows_at(file, chosen, BATCH_ROWS):
            members = chosen[done : done + features_table.num_rows]
            table = counts.beside(features_table, members) if counts else features_table
            inputs.fill(matrix[done : done + table.num_rows], table, pretrained.logits(table), effects[members])
            done += table.num_rows
            tracker.advance(table.num_rows)
    folds = folds_of(split[chosen][learning], settings.trees.folds)
    return TreeRows(inputs, matrix, labels, chosen, learning, folds)


def _choose(rows: int, settings: Settings) -> np.ndarray:
    """Returns the positions of the rows to read, ascending: all, or a sample of trees.max_rows."""
    most = settings.trees.max_rows
    if most is None or rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(settings.seed).choice(rows, most, replace=False))


def _languages(column: pa.ChunkedArray) -> tuple[str, ...]:
    counted = pc.value_counts(column.combine_chunks())
    pairs = zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
    return tuple(sorted(name for name, count in pairs if name is not None and count >= LEAST_LANGUAGE_ROWS))


def _base_rates(labels: np.ndarray) -> dict[str, float]:
    rates = {target: float(rate) for target, rate in zip(schema.TARGETS, labels.mean(axis=0), strict=True)}
    return rates | {NEGATIVE: float(1 - labels.any(axis=1).mean())}
