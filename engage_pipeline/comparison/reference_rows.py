"""The training rows of the reference trees, as one matrix of the reference's 88 numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.files.parquet import batches
from engage_pipeline.model.network.rows import read_columns
from engage_pipeline.model.validation_roles import held_out
from engage_pipeline.numerics.categories import category_column

LANGUAGE = "language"
REFERENCE_COLUMNS = (*schema.NUMBERS, *schema.BINARY_FEATURES, LANGUAGE, "hour", "day_of_month")
STOPPING_SHARE = 4
"""Every fourth chunk of the fine-tuning rows decides when to stop."""
BATCH_ROWS = 65_536


@dataclass(frozen=True)
class TrainingRows:
    """`matrix` float32 [n, 88] in the order of REFERENCE_COLUMNS, `labels` bool [n, 4] in that of schema.TARGETS.

    `stopping` bool [n]: the rows that decide when to stop, whole chunks of the fine-tuning rows, because counters don't
    know labels of their own chunk. A language's code is its index in `languages`.
    """

    matrix: np.ndarray
    labels: np.ndarray
    stopping: np.ndarray
    languages: Sequence[str]


def read_training_rows(training: Sequence[Path], validation: Path, seed: int, most: int) -> TrainingRows:
    """Reads all fine-tuning rows of `validation`, and training rows of the files `training`, at most `most` in all.

    Training rows are drawn at random if there are more. Raises UserError if there are no fine-tuning rows.
    """
    split = read_columns(validation, [schema.SPLIT])[schema.SPLIT]
    finetuning = np.flatnonzero(~held_out(split))
    if not len(finetuning):
        raise UserError(f"{validation}: no fine-tuning rows")
    counts = [pq.read_metadata(path).num_rows for path in training]
    drawn = _draw(sum(counts), max(most - len(finetuning), 0), seed)
    starts = np.cumsum([0, *counts])
    chosen = [drawn[(drawn >= low) & (drawn < low + n)] - low for low, n in zip(starts[:-1], counts, strict=True)]
    paths = [*training, validation]
    languages = _languages(paths)
    pieces = [_read(path, rows, languages) for path, rows in zip(paths, [*chosen, finetuning], strict=True)]
    matrices, labels = zip(*pieces, strict=True)
    stopping = np.concatenate([np.zeros(len(drawn), bool), split[finetuning] % STOPPING_SHARE == 0])
    return TrainingRows(np.concatenate(matrices), np.concatenate(labels), stopping, languages)


def matrix(table: pa.Table, languages: Sequence[str]) -> np.ndarray:
    """Returns feature rows as float32 [n, 88]. A language that is missing or not in `languages` is NaN."""
    values = np.empty((table.num_rows, len(REFERENCE_COLUMNS)), np.float32)
    for place, name in enumerate(REFERENCE_COLUMNS):
        if name == LANGUAGE:
            values[:, place] = category_column(table[name], languages)
        else:
            values[:, place] = table[name].to_numpy()
    return values


def _draw(rows: int, most: int, seed: int) -> np.ndarray:
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def _languages(paths: Sequence[Path]) -> list[str]:
    found = {name for path in paths for name in pq.read_table(path, columns=[LANGUAGE])[LANGUAGE].unique().to_pylist()}
    return sorted(found - {None})


def _read(path: Path, chosen: np.ndarray, languages: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    values = np.empty((len(chosen), len(REFERENCE_COLUMNS)), np.float32)
    labels = np.empty((len(chosen), len(schema.TARGETS)), np.bool_)
    start = done = 0
    with pq.ParquetFile(path) as file:
        for table in batches(file, BATCH_ROWS, [*REFERENCE_COLUMNS, *schema.TARGETS]):
            first, last = np.searchsorted(chosen, (start, start + table.num_rows))
            rows = table.take(pa.array(chosen[first:last] - start))
            place = slice(done, done + rows.num_rows)
            values[place] = matrix(rows, languages)
            labels[place] = np.column_stack([rows[target].to_numpy() for target in schema.TARGETS])
            start, done = start + table.num_rows, place.stop
    return values, labels
