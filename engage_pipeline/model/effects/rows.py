"""Reads the rows for fitting the effects from feature files, batch by batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.files.parquet import batches
from engage_pipeline.model.effects.fields import ROW_COLUMNS, Clusters, EffectRows, concatenate, end_of_window
from engage_pipeline.model.network.rows import read_columns
from engage_pipeline.model.validation_roles import HOLDOUT_ROW, TRAINING_ROW, effect_folds
from engage_pipeline.progress import Progress, progress
from engage_pipeline.settings.settings import Settings

BATCH_ROWS = 65_536
_DAY = 86_400


@dataclass(frozen=True)
class FittedRows:
    """n rows, those of the training parts first: labels bool [n, 4], folds int64 [n], weights float64 [n].

    The last `n_validation` are validation rows, in the order of their file, with a fold from 0 on, or HOLDOUT_ROW and
    weight 0. `window_end`: the end of their window, Unix seconds.
    """

    rows: EffectRows
    labels: np.ndarray
    folds: np.ndarray
    weights: np.ndarray
    n_validation: int
    window_end: int

    def folds_present(self) -> list[int]:
        """Returns the folds of the fine-tuning rows, in order."""
        return [int(fold) for fold in np.unique(self.folds) if fold >= 0]


@dataclass(frozen=True)
class _Piece:
    rows: EffectRows
    labels: np.ndarray
    timestamps: np.ndarray


def read_fitted_rows(training: Sequence[Path], validation: Path, clusters: Clusters, settings: Settings) -> FittedRows:
    """Reads the rows of the feature files of the training parts and of the validation rows."""
    split = read_columns(validation, [schema.SPLIT])[schema.SPLIT]
    windows = [list(training), [validation]]
    ends = [_window_end(paths) for paths in windows]
    pieces: list[_Piece] = []
    total = sum(pq.read_metadata(path).num_rows for paths in windows for path in paths)
    with progress("rows of the effects", total) as tracker:
        for paths, end in zip(windows, ends, strict=True):
            pieces += [piece for path in paths for piece in _read(path, clusters, end, tracker)]
    folds = np.full(total, TRAINING_ROW, np.int64)
    folds[total - len(split) :] = effect_folds(split, settings.effects.folds)
    timestamps = np.concatenate([piece.timestamps for piece in pieces])
    weights = _weights(timestamps, settings.effects.half_life_days)
    weights[folds == HOLDOUT_ROW] = 0.0
    return FittedRows(
        concatenate([piece.rows for piece in pieces]),
        np.concatenate([piece.labels for piece in pieces]),
        folds,
        weights,
        len(split),
        ends[-1],
    )


def _window_end(paths: Sequence[Path]) -> int:
    columns = [read_columns(path, [schema.TWEET_TIMESTAMP])[schema.TWEET_TIMESTAMP] for path in paths]
    return end_of_window(np.concatenate([np.zeros(0, np.int64), *columns]))


def _read(path: Path, clusters: Clusters, end: int, tracker: Progress) -> list[_Piece]:
    pieces = []
    with pq.ParquetFile(path) as file:
        for table in batches(file, BATCH_ROWS, [*ROW_COLUMNS, *schema.TARGETS]):
            labels = np.column_stack([table[target].to_numpy() for target in schema.TARGETS])
            timestamps = table[schema.TWEET_TIMESTAMP].to_numpy()
            pieces.append(_Piece(EffectRows.from_table(table, clusters, end), labels, timestamps))
            tracker.advance(table.num_rows)
    return pieces


def _weights(timestamps: np.ndarray, half_life_days: float | None) -> np.ndarray:
    """Returns the weight of each row: halved for every half-life before the end of the last window."""
    if half_life_days is None:
        return np.ones(len(timestamps))
    days = np.maximum(end_of_window(timestamps) - timestamps.astype(np.float64), 0) / _DAY
    return np.asarray(0.5 ** (days / half_life_days))
