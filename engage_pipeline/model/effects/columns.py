"""The columns of the effects for the trees, and their file for the validation rows, scored without their own labels."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.model.effects.marginals import marginal_logits

VALIDATION = "validation_effects.parquet"
EFFECT_LOGITS = tuple(f"effects_{target}_logit" for target in schema.TARGETS)
"""The log-odds of the probability of each engagement, integrated over what is not known of its log-odds."""
EFFECT_COLUMNS = EFFECT_LOGITS


def effect_columns(means: np.ndarray, variances: np.ndarray, coupling: np.ndarray) -> np.ndarray:
    """Computes EFFECT_COLUMNS, float32 [n, 4], from means and variances of the log-odds of TARGETS, float64 [n, 4],
    and `coupling` [4, 4] (marginals)."""
    return marginal_logits(means, variances, coupling).astype(np.float32)


def no_effects(rows: int) -> np.ndarray:
    """Returns EFFECT_COLUMNS for no family of effects: float32 [rows, 4], all 0."""
    return np.zeros((rows, len(EFFECT_COLUMNS)), np.float32)


def write_columns(columns: np.ndarray, folder: Path) -> None:
    """Writes EFFECT_COLUMNS of the validation rows, in the order of validation_features."""
    table = pa.table(dict(zip(EFFECT_COLUMNS, columns.T, strict=True)))
    pq.write_table(table, folder / VALIDATION, compression="zstd")


def read_columns(folder: Path) -> np.ndarray:
    """Reads what `write_columns` wrote: float32 [n, 4]."""
    table = pq.read_table(folder / VALIDATION)
    return np.column_stack([table[name].to_numpy() for name in EFFECT_COLUMNS]).reshape(-1, len(EFFECT_COLUMNS))
