"""The columns of the effects for the trees, and their file for the validation rows, scored without their own labels."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.model.effects.outcomes import ANY, OUTCOMES, engagement_log_odds
from engage_pipeline.settings.families import EFFECT_FAMILIES

VALIDATION = "validation_effects.parquet"
EFFECT_LOGITS = tuple(f"effects_{target}_logit" for target in schema.TARGETS)
"""The log-odds of each engagement."""
OUTCOME_LOGITS = (f"effects_{ANY}_logit", *(f"effects_{target}_given_any_logit" for target in schema.TARGETS))
FAMILY_LOGITS = tuple(f"{family}_any_logit" for family in EFFECT_FAMILIES)
"""The contribution of each family to the log-odds of any engagement."""
EFFECT_COLUMNS = (*EFFECT_LOGITS, *OUTCOME_LOGITS, *FAMILY_LOGITS)


def effect_columns(intercepts: np.ndarray, families: np.ndarray) -> np.ndarray:
    """Computes EFFECT_COLUMNS, float32 [n, 17], from intercepts [5] and families [n, 8, 5] (tables)."""
    return columns_of(intercepts + families.sum(axis=1), families[:, :, OUTCOMES.index(ANY)])


def columns_of(log_odds: np.ndarray, by_family: np.ndarray) -> np.ndarray:
    """Computes EFFECT_COLUMNS, float32 [n, 17], from the log-odds of OUTCOMES [n, 5] and the part that each family has
    in those of any engagement, [n, 8]."""
    return np.concatenate([engagement_log_odds(log_odds), log_odds, by_family], axis=1).astype(np.float32)


def no_effects(rows: int) -> np.ndarray:
    """Returns EFFECT_COLUMNS for no family of effects: float32 [rows, 17], all 0."""
    return np.zeros((rows, len(EFFECT_COLUMNS)), np.float32)


def write_columns(columns: np.ndarray, folder: Path) -> None:
    """Writes EFFECT_COLUMNS of the validation rows, in the order of validation_features."""
    table = pa.table(dict(zip(EFFECT_COLUMNS, columns.T, strict=True)))
    pq.write_table(table, folder / VALIDATION, compression="zstd")


def read_columns(folder: Path) -> np.ndarray:
    """Reads what `write_columns` wrote: float32 [n, 17]."""
    table = pq.read_table(folder / VALIDATION)
    return np.column_stack([table[name].to_numpy() for name in EFFECT_COLUMNS]).reshape(-1, len(EFFECT_COLUMNS))
