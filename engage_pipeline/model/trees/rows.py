"""Reads the validation rows for the trees from validation_features into one matrix.

The published trees learn from all of them; those that are compared learn from the fine-tuning rows outside the last
chunk: that chunk is for the blend weights, the holdout for the evaluation. Beyond trees.max_rows they are a sample:
each row is drawn with the same chance, without replacement, by the setting `seed`, and the sample keeps the order of
the file. What does not belong here: the columns (inputs), and growing trees (training).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.files.parquet import batches
from engage_pipeline.model.trees.inputs import LANGUAGE, NEGATIVE, TreeInputs
from engage_pipeline.model.validation_roles import folds_of, trains_trees
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

    `learning` int [m]: the positions of the rows that trees to be compared learn from. `folds` int [m] in 0 … folds-1.
    """

    inputs: TreeInputs
    matrix: np.ndarray
    labels: np.ndarray
    learning: np.ndarray
    folds: np.ndarray


def read_tree_rows(features: Path, pretrained: LogitSource, effects: np.ndarray, settings: Settings) -> TreeRows:
    """Reads the rows of the Parquet file `features`, at most trees.max_rows, in the order of the file.

    `effects` are effects.columns.EFFECT_COLUMNS of all rows of the file, float32 [n, 4], fitted without their labels.
    Raises UserError naming the file if it has no training rows.
    """
    file = pq.ParquetFile(features)
    split = file.read(columns=[schema.SPLIT])[schema.SPLIT].to_numpy()
    chosen = _choose(len(split), settings)
    learning = np.flatnonzero(trains_trees(split[chosen], settings))
    if not len(learning):
        raise UserError(f"{features}: no fine-tuning rows outside the last chunk to train trees on")
    described = pa.concat_tables(_chosen_batches(file, chosen, [LANGUAGE, *schema.TARGETS]))
    labels = np.column_stack([described[target].to_numpy() for target in schema.TARGETS])
    inputs = TreeInputs(
        _languages(described[LANGUAGE].take(pa.array(learning))),
        _base_rates(labels[learning]),
        settings.trees.prior_weight,
        schema.further_counters(settings.features.counters),
    )
    matrix = np.empty((len(chosen), len(inputs.columns)), np.float32)
    done = 0
    with progress("rows of the trees", len(chosen)) as tracker:
        for table in _chosen_batches(file, chosen):
            members = chosen[done : done + table.num_rows]
            inputs.fill(matrix[done : done + table.num_rows], table, pretrained.logits(table), effects[members])
            done += table.num_rows
            tracker.advance(table.num_rows)
    return TreeRows(inputs, matrix, labels, learning, folds_of(split[chosen][learning], settings.trees.folds))


def _choose(rows: int, settings: Settings) -> np.ndarray:
    """Returns the positions of the rows to read, ascending: all, or a sample of trees.max_rows."""
    most = settings.trees.max_rows
    if most is None or rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(settings.seed).choice(rows, most, replace=False))


def _chosen_batches(
    file: pq.ParquetFile, chosen: np.ndarray, columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """Yields the rows at the positions `chosen`, ascending, in batches; `columns` None = all."""
    start = 0
    for table in batches(file, BATCH_ROWS, columns):
        first, last = np.searchsorted(chosen, (start, start + table.num_rows))
        if first < last:
            yield table.take(pa.array(chosen[first:last] - start))
        start += table.num_rows


def _languages(column: pa.ChunkedArray) -> tuple[str, ...]:
    counted = pc.value_counts(column.combine_chunks())
    pairs = zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
    return tuple(sorted(name for name, count in pairs if name is not None and count >= LEAST_LANGUAGE_ROWS))


def _base_rates(labels: np.ndarray) -> dict[str, float]:
    rates = {target: float(rate) for target, rate in zip(schema.TARGETS, labels.mean(axis=0), strict=True)}
    return rates | {NEGATIVE: float(1 - labels.any(axis=1).mean())}
