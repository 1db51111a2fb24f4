"""The float32 matrix that the trees read, made of feature rows, the pretrained network's logits and the effects.

What belongs here: which columns there are, in which order, and how each is computed. No column is made of the
engagement day or of anything else that depends on the row's own labels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.model.effects.columns import EFFECT_COLUMNS

LANGUAGE = "language"
HOUR = "hour"
DAY_OF_MONTH = "day_of_month"

NEGATIVE = "negative"
OUTCOMES = (*schema.TARGETS, NEGATIVE)
"""What rates are computed of: each engagement, and no engagement at all."""

_RATED_KEYS = (
    *((key, schema.TARGETS) for key in schema.TRAINING_KEYS),
    *((f"{schema.VALIDATION_PREFIX}{key}", schema.TARGETS) for key in (*schema.VALIDATION_KEYS, *schema.REVERSED_KEYS)),
    *((f"{schema.VALIDATION_PREFIX}{key}", (NEGATIVE,)) for key in schema.NEGATIVE_KEYS),
)
RATES: dict[str, tuple[str, str, str]] = {
    f"{key}_{outcome}_rate": (f"{key}_{outcome}", f"{key}_exposures", outcome)
    for key, outcomes in _RATED_KEYS
    for outcome in outcomes
}
"""Name of a smoothed rate: its counter, the exposures of the same key, the outcome counted."""

RATIOS: dict[str, tuple[str, str]] = {
    "author_followers_per_following": ("engaged_with_user_follower_count", "engaged_with_user_following_count"),
    "viewer_followers_per_following": ("engaging_user_follower_count", "engaging_user_following_count"),
    "author_followers_per_viewer_followers": ("engaged_with_user_follower_count", "engaging_user_follower_count"),
    "author_following_per_viewer_following": ("engaged_with_user_following_count", "engaging_user_following_count"),
    "author_age_per_viewer_age": ("engaged_with_user_account_age_days", "engaging_user_account_age_days"),
    "pair_share_of_author": ("pair_exposures", "author_exposures"),
    "pair_share_of_viewer": ("pair_exposures", "viewer_exposures"),
    "valid_pair_share_of_viewer": ("valid_pair_exposures", "valid_viewer_exposures"),
}
"""Name of a ratio (a + 1) / (b + 1): a, b."""

LOGITS = tuple(f"pretrained_{target}_logit" for target in schema.TARGETS)
COLUMNS = (
    *schema.NUMBERS,
    *schema.EXPOSURE_FEATURES,
    *RATES,
    *RATIOS,
    *schema.BINARY_FEATURES,
    HOUR,
    DAY_OF_MONTH,
    LANGUAGE,
    *LOGITS,
    *EFFECT_COLUMNS,
)
"""Columns of the matrix, in order."""
CATEGORICAL = (LANGUAGE,)


@dataclass(frozen=True)
class TreeInputs:
    """What the matrix depends on besides the rows: fixed when the trees are trained, kept with them.

    `languages`: their position is their category; another one is missing. `base_rates`: mean of each of OUTCOMES.
    `prior_weight`: exposures that the base rate counts for in every smoothed rate.
    """

    languages: tuple[str, ...]
    base_rates: Mapping[str, float]
    prior_weight: float
    columns: tuple[str, ...] = field(default=COLUMNS)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON types."""
        return {
            "columns": list(self.columns),
            "languages": list(self.languages),
            "base_rates": dict(self.base_rates),
            "prior_weight": self.prior_weight,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any], source: str) -> Self:
        """The inverse of to_json. Raises UserError where `source` was made for other columns than today's."""
        columns = tuple(values["columns"])
        if columns != COLUMNS:
            raise UserError(f"{source}: {_first_difference(columns)}; train the trees again")
        return cls(tuple(values["languages"]), values["base_rates"], values["prior_weight"], columns)

    def fill(self, matrix: np.ndarray, table: pa.Table, logits: np.ndarray, effects: np.ndarray) -> None:
        """Writes the rows of `table` into `matrix`, float32 [n, len(COLUMNS)].

        `table` holds features as schema.feature_schema says; `logits` [n, 4] are the pretrained network's,
        `effects` [n, 17] are EFFECT_COLUMNS. Source of the smoothed rate
        (count + prior_weight * base_rate) / (exposures + prior_weight): SPEC section 9.
        """
        columns = iter(range(matrix.shape[1]))
        numbers = {name: _numbers(table, name) for name in (*schema.NUMBERS, *schema.EXPOSURE_FEATURES)}
        for values in numbers.values():
            matrix[:, next(columns)] = values
        for counter, exposures, outcome in RATES.values():
            prior = self.prior_weight * self.base_rates[outcome]
            matrix[:, next(columns)] = (numbers[counter] + prior) / (numbers[exposures] + self.prior_weight)
        for above, below in RATIOS.values():
            matrix[:, next(columns)] = (np.maximum(numbers[above], 0) + 1) / (np.maximum(numbers[below], 0) + 1)
        for name in (*schema.BINARY_FEATURES, HOUR, DAY_OF_MONTH):
            matrix[:, next(columns)] = _numbers(table, name)
        matrix[:, next(columns)] = self._language_categories(table)
        for target in range(len(LOGITS)):
            matrix[:, next(columns)] = logits[:, target]
        matrix[:, -effects.shape[1] :] = effects

    def matrix(self, table: pa.Table, logits: np.ndarray, effects: np.ndarray) -> np.ndarray:
        """A new matrix, float32 [table.num_rows, len(COLUMNS)], filled as `fill` says."""
        matrix = np.empty((table.num_rows, len(self.columns)), np.float32)
        self.fill(matrix, table, logits, effects)
        return matrix

    def _language_categories(self, table: pa.Table) -> np.ndarray:
        categories = pc.index_in(table[LANGUAGE], value_set=pa.array(self.languages, pa.string()))
        return _to_numpy(categories.cast(pa.float32()).fill_null(float("nan")))


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    values = _to_numpy(table[name])
    return values.astype(np.float64) if values.dtype.kind == "i" else values


def _to_numpy(column: pa.ChunkedArray) -> np.ndarray:
    return column.to_numpy()


def _first_difference(columns: tuple[str, ...]) -> str:
    for here, there in zip(COLUMNS, columns, strict=False):
        if here != there:
            return f"its trees read column {there!r} where {here!r} is expected"
    return f"its trees read {len(columns)} columns, {len(COLUMNS)} are expected"
