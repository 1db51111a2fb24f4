"""Makes engagement_effects: fits the effects to training and fine-tuning rows, and scores each validation row with
effects that never saw it.

A fine-tuning row is scored by effects fitted without the rows of its fold; a holdout row, like a test row, by the
published effects, which are fitted to no holdout row. What does not belong here: fitting an outcome (fitting), the
deviations (priors), the files (tables).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from engage_pipeline.errors import UserError
from engage_pipeline.machine.threads import one_blas_thread
from engage_pipeline.model.effects.columns import effect_columns, no_effects, write_columns
from engage_pipeline.model.effects.design import Design, build_design
from engage_pipeline.model.effects.effects import Effect, effects_of
from engage_pipeline.model.effects.fields import Clusters
from engage_pipeline.model.effects.fitting import Fit, fit_effects
from engage_pipeline.model.effects.outcomes import ANY, OUTCOMES
from engage_pipeline.model.effects.priors import learn_deviations
from engage_pipeline.model.effects.rows import (
    FittedRows,
    read_fitted_rows,
)
from engage_pipeline.model.effects.tables import EffectTable, EffectTables
from engage_pipeline.model.validation_roles import (
    HOLDOUT_ROW,
    TRAINING_ROW,
)
from engage_pipeline.progress import Progress, progress
from engage_pipeline.settings.families import EFFECT_FAMILIES
from engage_pipeline.settings.settings import Settings

_SAMPLE_BITS = 20


@dataclass
class Found:
    """The results of the fits of all outcomes; the last axis is that of OUTCOMES."""

    intercepts: np.ndarray
    values: list[np.ndarray]
    """The values of each effect, float32 [keys, 5]."""
    families: np.ndarray
    """The contribution of each family to each validation row, from a fit without that row: float64 [n, 8, 5]."""
    row_intercepts: np.ndarray
    """The intercepts of the fit that scores each validation row, float64 [n, 5]."""
    deviations: dict[str, dict[str, float]] = field(default_factory=dict)


@one_blas_thread()
def train_effects(
    training: Sequence[Path],
    validation: Path,
    clusters: Clusters,
    output: Path,
    workspace: Path,
    settings: Settings,
) -> dict[str, Any]:
    """Fits the effects and writes them (tables), and the columns of the validation rows (columns), into `output`.

    `training` are the feature files of the training parts, `validation` that of the validation rows. `workspace` holds
    the design. Returns facts: rows, and keys and learned deviations by effect. If features.families names no effects,
    nothing is fitted. Raises UserError if there are no rows for the fit.
    """
    effects = effects_of(settings.features.families)
    if not effects:
        EffectTables((), np.zeros(len(OUTCOMES)), {}, 0).save(output)
        write_columns(no_effects(pq.read_metadata(validation).num_rows), output)
        return {"effects": {}}
    rows = read_fitted_rows(training, validation, clusters, settings)
    if not (rows.weights > 0).any():
        raise UserError(f"{validation}: no row to fit effects to")
    design, keys = build_design(rows.rows, effects, workspace / "all")
    found = _fit_all(rows, design, effects, workspace, settings)
    tables = tuple(_table(effect, key, values) for effect, key, values in zip(effects, keys, found.values, strict=True))
    EffectTables(tables, found.intercepts, found.deviations, rows.window_end).save(output)
    write_columns(effect_columns(found.row_intercepts, found.families), output)
    return {
        "rows": int((rows.weights > 0).sum()),
        "effects": {
            table.effect.name: {"keys": len(table.keys), "deviations": found.deviations[table.effect.name]}
            for table in tables
        },
    }


def _table(effect: Effect, keys: np.ndarray, values: np.ndarray) -> EffectTable:
    """Makes the table of an effect without the entry for missing keys, and without keys whose values are all 0."""
    learned = np.asarray(values.any(axis=1))
    learned[0] = False
    return EffectTable(effect, keys[learned], values[learned])


def _fit_all(rows: FittedRows, design: Design, effects: Sequence[Effect], workspace: Path, settings: Settings) -> Found:
    n = rows.n_validation
    found = Found(
        np.zeros(len(OUTCOMES)),
        [np.zeros((size, len(OUTCOMES)), np.float32) for size in design.sizes],
        np.zeros((n, len(EFFECT_FAMILIES), len(OUTCOMES))),
        np.zeros((n, len(OUTCOMES))),
        {effect.name: {} for effect in effects},
    )
    engaged = np.flatnonzero(rows.labels.any(axis=1) & (rows.folds != HOLDOUT_ROW))
    subsets = {ANY: (design, np.arange(len(design)))}
    given = (design.take(engaged, workspace / "engaged"), engaged)
    fits = len(OUTCOMES) * (2 + len(rows.folds_present()))
    with progress("engagement_effects", fits, "fits") as tracker:
        for place, outcome in enumerate(OUTCOMES):
            chosen, index = subsets.get(outcome, given)
            labels = np.asarray(rows.labels.any(axis=1) if outcome == ANY else rows.labels[index, place - 1])
            fitter = _Fitter(chosen, labels, rows.folds[index], rows.weights[index], settings)
            deviations = fitter.learn_deviations(rows.rows.viewer[index], [effect.deviation for effect in effects])
            for effect, deviation in zip(effects, deviations, strict=True):
                found.deviations[effect.name][outcome] = deviation
            for fold, fit in fitter.fits(deviations, rows.folds_present(), tracker):
                _keep(found, place, fold, fit, rows, design, effects)
    return found


def _keep(
    found: Found, place: int, fold: int, fit: Fit, rows: FittedRows, design: Design, effects: Sequence[Effect]
) -> None:
    """Stores the scores of `fold`'s rows by the fit without them; the fit without holdout rows is published, too."""
    if fold == HOLDOUT_ROW:
        found.intercepts[place] = fit.intercept
        for values, effect_values in zip(found.values, fit.effects, strict=True):
            values[:, place] = effect_values
    members = np.flatnonzero(rows.folds == fold)
    seen_at = members - (len(design) - rows.n_validation)
    found.row_intercepts[seen_at, place] = fit.intercept
    names = list(EFFECT_FAMILIES)
    for effect, part in zip(effects, fit.parts(design, members), strict=True):
        found.families[seen_at, names.index(effect.family), place] += part


@dataclass(frozen=True)
class _Fitter:
    """The fits of one outcome, to rows with `labels` bool, `folds` int and `weights` float64, all [n]."""

    design: Design
    labels: np.ndarray
    folds: np.ndarray
    weights: np.ndarray
    settings: Settings

    def learn_deviations(self, viewers: np.ndarray, deviations: Sequence[float]) -> list[float]:
        """Learns the deviations from all rows of a sample of viewers; every other fold is new to the effects' fit."""
        chosen = self.settings.effects
        share = min(1.0, chosen.prior_rows / max(len(viewers), 1))
        drawn = (viewers & ((1 << _SAMPLE_BITS) - 1)) < share * (1 << _SAMPLE_BITS)
        sample = np.flatnonzero(drawn & (self.folds != HOLDOUT_ROW))
        new = (self.folds[sample] >= 0) & (self.folds[sample] % 2 == 1)
        design = self.design.take(sample)
        return learn_deviations(
            self.labels[sample], design, deviations, new, sweeps=chosen.sweeps, rounds=chosen.prior_rounds
        )

    def fits(self, deviations: Sequence[float], folds: Sequence[int], tracker: Progress) -> Iterator[tuple[int, Fit]]:
        """Yields the fits without each of `folds` and the holdout rows; last, the fit without the holdout rows only.

        All start from the fit of the training rows, which has seen no validation row.
        """
        sweeps = self.settings.effects.sweeps
        first = self._fit(self.folds == TRAINING_ROW, deviations, sweeps, None)
        tracker.advance(1)
        for fold in (*folds, HOLDOUT_ROW):
            kept = (self.folds != fold) & (self.folds != HOLDOUT_ROW)
            # the scores of a fold's rows don't need the last digit: half of the sweeps are enough
            yield fold, self._fit(kept, deviations, sweeps if fold == HOLDOUT_ROW else (sweeps + 1) // 2, first)
            tracker.advance(1)

    def _fit(self, kept: np.ndarray, deviations: Sequence[float], sweeps: int, start: Fit | None) -> Fit:
        return fit_effects(
            self.labels, self.design, deviations, sweeps=sweeps, weights=self.weights * kept, start=start
        )
