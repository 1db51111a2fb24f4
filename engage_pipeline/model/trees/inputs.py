"""The float32 matrix that the trees read, made of feature rows, the pretrained network's logits and the effects.

What belongs here: which columns there are, in which order, and how each is computed. No column is made of the
engagement day or of anything else that depends on the row's own labels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.model.effects.columns import EFFECT_COLUMNS
from engage_pipeline.model.feature_columns import Features, flag_matrix, matrix_if_there, number_matrix
from engage_pipeline.numerics.categories import category_column

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
"""Columns of the matrix, in order, where no family beyond the reference is on."""
CATEGORICAL = (LANGUAGE,)

_NUMBERS = (*schema.NUMBERS, *schema.EXPOSURE_FEATURES)
_ABOVE = [_NUMBERS.index(above) for above, _ in RATIOS.values()]
_BELOW = [_NUMBERS.index(below) for _, below in RATIOS.values()]


def further_rates(counters: Sequence[str]) -> dict[str, tuple[str, str, str]]:
    """The smoothed rates of `counters` beyond the reference, as in RATES."""
    return {
        f"{counter}_{outcome}_rate": (f"{counter}_{outcome}", f"{counter}_exposures", outcome)
        for counter in counters
        for outcome in schema.TARGETS
    }


def tree_columns(counters: Sequence[str], *, scored_file: bool = False) -> tuple[str, ...]:
    """Columns of the matrix, in order: behind COLUMNS those of `counters` beyond the reference, and `scored_file`'s."""
    counted = (*schema.further_features(counters), *further_rates(counters))
    return (*COLUMNS, *counted, *(schema.SCORED_FILE_FEATURES if scored_file else ()))


@dataclass(frozen=True)
class TreeInputs:
    """What the matrix depends on besides the rows: fixed when the trees are trained, kept with them.

    `counters`: those beyond the reference that the trees read. `scored_file`: whether they read the counts inside the
    scored file.
    `languages`: their position is their category; another one is missing. `base_rates`: mean of each of OUTCOMES.
    `prior_weight`: exposures that the base rate counts for in every smoothed rate.
    """

    languages: tuple[str, ...]
    base_rates: Mapping[str, float]
    prior_weight: float
    counters: tuple[str, ...] = ()
    scored_file: bool = False

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Columns of the matrix, in order."""
        return tree_columns(self.counters, scored_file=self.scored_file)

    @cached_property
    def _numbers(self) -> tuple[str, ...]:
        """The columns of a row that rates are made of, and those that the trees read as they are."""
        return (*_NUMBERS, *schema.further_features(self.counters))

    @cached_property
    def _rates(self) -> tuple[list[int], list[int], np.ndarray]:
        """Of every rate: the places of its counter and of its exposures in `_numbers`, and what it is smoothed by."""
        numbers, rates = self._numbers, (RATES | further_rates(self.counters)).values()
        priors = self.prior_weight * np.array([self.base_rates[outcome] for _, _, outcome in rates])
        counted, shown = ([numbers.index(rate[place]) for rate in rates] for place in (0, 1))
        return counted, shown, priors

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
        counters = schema.further_counters_in(columns)
        scored_file = not {*schema.SCORED_FILE_FEATURES}.isdisjoint(columns)
        if columns != (expected := tree_columns(counters, scored_file=scored_file)):
            raise UserError(f"{source}: {_first_difference(columns, expected)}; train the trees again")
        return cls(tuple(values["languages"]), values["base_rates"], values["prior_weight"], counters, scored_file)

    def fill(self, matrix: np.ndarray, table: Features, logits: np.ndarray, effects: np.ndarray) -> None:
        """Writes the rows of `table` into `matrix`, float32 [n, len(columns)].

        `table` holds features as schema.feature_schema says, maybe with SCORED_FILE_FEATURES; `logits` [n, 4] are the
        pretrained network's, `effects` [n, 4] are EFFECT_COLUMNS. Source of the smoothed rate
        (count + prior_weight * base_rate) / (exposures + prior_weight): docs/specification.md, section 9.
        """
        numbers = number_matrix(table, self._numbers, np.float64)
        counted, shown, priors = self._rates
        rates = (numbers[:, counted] + priors) / (numbers[:, shown] + self.prior_weight)
        positive = np.maximum(numbers, 0)
        blocks = (
            numbers[:, : len(_NUMBERS)],
            rates[:, : len(RATES)],
            (positive[:, _ABOVE] + 1) / (positive[:, _BELOW] + 1),
            flag_matrix(table, schema.BINARY_FEATURES),
            number_matrix(table, (HOUR, DAY_OF_MONTH), np.int64),
            category_column(table[LANGUAGE], self.languages)[:, np.newaxis],
            logits,
            effects,
            numbers[:, len(_NUMBERS) :],
            rates[:, len(RATES) :],
            matrix_if_there(table, schema.SCORED_FILE_FEATURES if self.scored_file else ()),
        )
        start = 0
        for block in blocks:
            matrix[:, start : start + block.shape[1]] = block
            start += block.shape[1]

    def matrix(self, table: Features, logits: np.ndarray, effects: np.ndarray) -> np.ndarray:
        """A new matrix, float32 [table.num_rows, len(columns)], filled as `fill` says."""
        matrix = np.empty((table.num_rows, len(self.columns)), np.float32)
        self.fill(matrix, table, logits, effects)
        return matrix


def _first_difference(columns: tuple[str, ...], expected: tuple[str, ...]) -> str:
    for here, there in zip(expected, columns, strict=False):
        if here != there:
            return f"its trees read column {there!r} where {here!r} is expected"
    return f"its trees read {len(columns)} columns, {len(expected)} are expected"
