"""Makes engagement_effects: fits the effects to training and fine-tuning rows, and scores each validation row with
effects that never saw it.

A fine-tuning row is scored by effects fitted without the rows of its fold; a holdout row, like a test row, by the
published effects, which are fitted to no holdout row. What does not belong here: fitting an outcome (fitting), the
deviations (priors), the files (tables).
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from engage_pipeline.errors import UserError
from engage_pipeline.files.atomic import scratch_folder
from engage_pipeline.files.flat_arrays import FlatArray
from engage_pipeline.machine import full_disk
from engage_pipeline.machine.memory import reuse_memory
from engage_pipeline.machine.spill import EFFECTS_PREFIX, spill_folder
from engage_pipeline.machine.threads import one_blas_thread
from engage_pipeline.model.effects.columns import columns_of, no_effects, write_columns
from engage_pipeline.model.effects.design import Design
from engage_pipeline.model.effects.effects import Effect, effects_of
from engage_pipeline.model.effects.fields import Clusters
from engage_pipeline.model.effects.numbering import build_design
from engage_pipeline.model.effects.outcome_fits import OutcomeFits
from engage_pipeline.model.effects.outcomes import ANY, OUTCOMES
from engage_pipeline.model.effects.rows import FittedRows, read_fitted_rows
from engage_pipeline.model.effects.tables import write_description, write_table
from engage_pipeline.model.effects.values import Fit
from engage_pipeline.model.validation_roles import HOLDOUT_ROW
from engage_pipeline.progress import progress
from engage_pipeline.settings.families import EFFECT_FAMILIES
from engage_pipeline.settings.settings import EffectSettings, Settings

_ROW_BYTES, _LEAST_BYTES = 1_000, 4_000_000
"""Bytes of disk a row while effects are fitted, and of the last blocks of files: for the message of a full disk."""


@one_blas_thread()
def train_effects(
    training: Sequence[Path], validation: Path, clusters: Clusters, output: Path, settings: Settings
) -> dict[str, Any]:
    """Fits the effects and writes them (tables), and the columns of the validation rows (columns), into `output`.

    `training` are the feature files of the training parts, `validation` that of the validation rows. Rows are held in
    the spill folder, about 500 bytes each. Returns facts: rows, and keys and learned deviations by effect. If
    features.families names no effects, nothing is fitted. Raises UserError if there are no rows for the fit.
    """
    effects = effects_of(settings.features.families)
    if not effects:
        write_description((), np.zeros(len(OUTCOMES)), {}, 0, output)
        write_columns(no_effects(pq.read_metadata(validation).num_rows), output)
        return {"effects": {}}
    reuse_memory()
    with _told_when_full(training, validation, output, settings) as folder:
        rows = read_fitted_rows(training, validation, clusters, folder / "rows", settings)
        if not rows.fitted:
            raise UserError(f"{validation}: no row to fit effects to")
        design, keys = build_design(rows.shards, effects, folder / "all")
        shutil.rmtree(folder / "rows")
        found = _fit_all(rows, design, effects, folder, settings.effects)
        write_columns(columns_of(found.log_odds, found.by_family), output)
        sizes = [
            write_table(effect, own, [values[place] for values in found.values], output, folder / "table")
            for place, (effect, own) in enumerate(zip(effects, keys, strict=True))
        ]
    write_description(effects, found.intercepts, found.deviations, rows.window_end, output)
    return {
        "rows": rows.fitted,
        "effects": {
            effect.name: {"keys": size, "deviations": found.deviations[effect.name]}
            for effect, size in zip(effects, sizes, strict=True)
        },
    }


@contextmanager
def _told_when_full(training: Sequence[Path], validation: Path, output: Path, settings: Settings) -> Iterator[Path]:
    """Yields the folder for the rows; a full disk is told with the space that they need."""

    def needed() -> int:
        return _LEAST_BYTES + _ROW_BYTES * sum(pq.read_metadata(path).num_rows for path in (*training, validation))

    with (
        full_disk.told_when_exhausted("engagement_effects", [output.parent], needed, settings),
        scratch_folder(spill_folder(settings), EFFECTS_PREFIX) as folder,
    ):
        yield folder


@dataclass
class _Found:
    """The results of the fits of all outcomes; an axis of 5 is that of OUTCOMES."""

    intercepts: np.ndarray
    """Of the published effects, float64 [5]."""
    log_odds: np.ndarray
    """Of each validation row, by a fit without that row, float64 [n, 5]."""
    by_family: np.ndarray
    """The part of each family in the log-odds of any engagement, by a fit without that row, float64 [n, 8]."""
    values: list[list[FlatArray]] = field(default_factory=list)
    """The values of the published effects by outcome and effect, float32 [keys]."""
    deviations: dict[str, dict[str, float]] = field(default_factory=dict)


def _fit_all(
    rows: FittedRows, design: Design, effects: Sequence[Effect], folder: Path, settings: EffectSettings
) -> _Found:
    n, folds = rows.n_validation, (*rows.folds, HOLDOUT_ROW)
    found = _Found(np.zeros(len(OUTCOMES)), np.zeros((n, len(OUTCOMES))), np.zeros((n, len(EFFECT_FAMILIES))))
    found.deviations = {effect.name: {} for effect in effects}
    engaged = design.take(lambda facts: (facts["labels"] > 0) & (facts["fold"] != HOLDOUT_ROW), folder / "engaged")
    seen = {fold: design.take(partial(_in_fold, fold), folder / f"fold-{fold}") for fold in folds}
    with progress("engagement_effects", len(OUTCOMES) * len(folds), "fits") as tracker:
        for name, fitted, outcomes in (("all", design, OUTCOMES[:1]), ("given", engaged, OUTCOMES[1:])):
            fits = OutcomeFits(fitted, outcomes, folder / f"fits-{name}", settings)
            deviations = fits.learn_deviations([effect.deviation for effect in effects])
            for effect, learned in zip(effects, deviations.tolist(), strict=True):
                found.deviations[effect.name] |= dict(zip(outcomes, learned, strict=True))
            for fold, problems, fit in fits.fit(deviations, rows.folds):
                _score(found, problems, fit, seen[fold], effects)
                tracker.advance(len(problems))
                if fold == HOLDOUT_ROW:
                    for problem, outcome in problems.items():
                        found.intercepts[OUTCOMES.index(outcome)] = fit.intercept[problem]
                        found.values.append(fit.publish(problem, folder / "published" / outcome))
            shutil.rmtree(fits.folder)
    return found


def _score(found: _Found, problems: Mapping[int, str], fit: Fit, seen: Design, effects: Sequence[Effect]) -> None:
    """Stores the scores of the rows `seen` by a fit without them; `problems` are the outcomes of its problems."""
    families = [list(EFFECT_FAMILIES).index(effect.family) for effect in effects]
    opened = fit.opened(seen)
    for block in seen.blocks():
        positions, parts = block.read(seen.facts)["position"], opened.parts(block)
        for problem, outcome in problems.items():
            own = parts[:, :, problem]
            found.log_odds[positions, OUTCOMES.index(outcome)] = fit.intercept[problem] + own.sum(axis=0)
            if outcome == ANY:
                for family, part in zip(families, own, strict=True):
                    found.by_family[positions, family] += part


def _in_fold(fold: int, facts: np.ndarray) -> np.ndarray:
    return np.asarray(facts["fold"] == fold)
