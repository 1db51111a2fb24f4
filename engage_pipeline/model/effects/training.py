"""Makes engagement_effects: fits the effects, and scores each validation row by effects that never saw it.

A fine-tuning row is scored by effects fitted without the rows of its fold; a holdout row by effects fitted without
holdout rows, which decide whether a model is promoted. The published effects are fitted to all rows. What does not
belong here: the fit (fitting), the files (tables).
"""

import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.files.atomic import scratch_folder
from engage_pipeline.machine import full_disk
from engage_pipeline.machine.parallel import in_order
from engage_pipeline.machine.shares import memory_bytes, threads_of
from engage_pipeline.machine.spill import EFFECTS_PREFIX, spill_folder
from engage_pipeline.machine.threads import one_blas_thread
from engage_pipeline.model.effects.columns import effect_columns, no_effects, write_columns
from engage_pipeline.model.effects.design import Block, Design
from engage_pipeline.model.effects.effects import Effect, effects_of
from engage_pipeline.model.effects.fields import Clusters
from engage_pipeline.model.effects.fitting import Fit
from engage_pipeline.model.effects.kernels import K
from engage_pipeline.model.effects.keyed_values import ROW
from engage_pipeline.model.effects.leveling import level
from engage_pipeline.model.effects.nesting import find_nested
from engage_pipeline.model.effects.numbering import build_design
from engage_pipeline.model.effects.rows import FittedRows, read_fitted_rows
from engage_pipeline.model.effects.tables import table_file, write_description, write_table
from engage_pipeline.model.effects.together import Together
from engage_pipeline.model.validation_roles import DECIDED, HOLDOUT_ROW, TRAINING_ROW
from engage_pipeline.progress import progress
from engage_pipeline.settings.settings import Settings

_ROW_BYTES, _LEAST_BYTES = 1_000, 4_000_000
"""Bytes of disk a row while effects are fitted, and of the last blocks of files: for the message of a full disk."""
_HELD_BYTES = 65
"""Bytes of memory a row of a fit, with the keys of viewers. Beyond a quarter of engine.memory_limit for _LEAST_HELD
fits, they are in files, but for as many arrays of rows as a third of it holds of the fit that sweeps; else the design
is mapped."""
_LEAST_HELD = 2
"""Fits that are held beside those that run."""
_MORE = 4
"""A fit that goes on from where another one ended makes a quarter of its sweeps."""

_T = TypeVar("_T")


@one_blas_thread()
def train_effects(
    training: Sequence[Path], validation: Path, clusters: Clusters, output: Path, settings: Settings
) -> dict[str, Any]:
    """Fits the effects and writes them (tables), and the columns of the validation rows (columns), into `output`.

    `training` are the feature files of the training parts, `validation` that of the validation rows. Rows are held in
    the spill folder, about 900 bytes each. Returns facts: rows, and keys and learned deviations by effect. If
    features.families names no effects, nothing is fitted. Raises UserError if there are no rows for the fit.
    """
    effects = effects_of(settings.features.families)
    if not effects:
        for prefix in ("", DECIDED):
            write_description(np.zeros(K), np.zeros((K, K)), {}, 0, 0, output, prefix)
        write_columns(no_effects(pq.read_metadata(validation).num_rows), output)
        return {"effects": {}}
    with _told_when_full(training, validation, output, settings) as folder:
        rows = read_fitted_rows(training, validation, clusters, folder / "rows", settings)
        if not rows.fitted:
            raise UserError(f"{validation}: no row to fit effects to")
        design, keys = build_design(rows.shards, effects, folder / "all", threads_of(settings))
        shutil.rmtree(folder / "rows")
        columns = no_effects(rows.n_validation)
        # Closed if writing fails: else fits would go on, in files of a folder that is removed.
        with closing(_fits(rows, design, effects, folder, columns, settings)) as fits:
            for fit, prefix in fits:
                sizes = [
                    write_table(own, values, output / table_file(effect.name, prefix), folder / "table")
                    for effect, own, values in zip(effects, keys, fit.keys, strict=True)
                ]
                covariances = dict(zip((effect.name for effect in effects), fit.covariances, strict=True))
                ends = rows.window_end, rows.newest
                write_description(fit.intercepts, fit.coupling, covariances, *ends, output, prefix)
        write_columns(columns, output)
    deviations = {name: np.sqrt(np.diag(own)).tolist() for name, own in covariances.items()}
    return {
        "rows": rows.fitted,
        "effects": {
            effect.name: {"keys": size, "deviations": dict(zip(schema.TARGETS, deviations[effect.name], strict=True))}
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


def _fits(
    rows: FittedRows, design: Design, effects: Sequence[Effect], folder: Path, columns: np.ndarray, settings: Settings
) -> Generator[tuple[Fit, str], None, None]:
    """Fits to the training rows; from there, without the holdout rows, and without each fold; from the former, to all
    rows. Yields that and the last with the prefix of their files.

    Stores EFFECT_COLUMNS of each validation row in `columns`, by a fit without that row.
    """
    threads, most = threads_of(settings), memory_bytes(settings.engine.memory_limit)
    held, responses = most // 4 // (len(design) * _HELD_BYTES), most // 3 // (len(design) * ROW.itemsize)
    state = folder if held < _LEAST_HELD else None
    if state is None:
        design.map()
    at_once = max(1, min(threads, held - _LEAST_HELD, len(rows.folds) + 1))
    nested = find_nested(design, effects, folder / "nested", threads)
    sweeps = settings.effects.sweeps
    first, more = (sweeps, -(-sweeps // _MORE)) if len(design) > rows.n_validation else (0, sweeps)
    total = first + more * (len(rows.folds) + 1 + settings.refit)
    with (
        progress("engagement_effects", total, "sweeps") as tracker,
        Together(state, tracker.advance, threads, at_once) as fits,
    ):
        deviations = [effect.deviation for effect in effects]
        training = Fit.begin(design, _of_training, nested, deviations, state and state / "training", threads, responses)
        for left in reversed(range(first)):
            training.sweep(learn=True, more=left > 0)
            tracker.advance(1)
        training.rest()
        training.put_away()
        without = partial(_begin_without, fits, training, more)
        deciding = without(HOLDOUT_ROW, partial(_scored, design, columns, HOLDOUT_ROW), name="deciding")
        folds = [without(fold, partial(_dropped, design, columns, fold), name="passing") for fold in rows.folds]
        del training, without  # three fits are held at a time if they are in files
        fit, published = deciding.result(), None
        fit.put_away()
        if settings.refit:
            published = fits.begin(fit, _of_all, more, "published", _leveled)
        yield fit, DECIDED
        for fold in folds:
            fold.result()
        yield (fit if published is None else published.result()), ""


def _begin_without(
    fits: Together, start: Fit, sweeps: int, fold: int, then: Callable[[Fit], _T], *, name: str
) -> Future[_T]:
    """Begins the fit without the rows of `fold`."""
    return fits.begin(start, partial(_without, fold), sweeps, name, then)


def _leveled(fit: Fit) -> Fit:
    level(fit)
    return fit


def _scored(design: Design, columns: np.ndarray, fold: int, fit: Fit) -> Fit:
    """Levels a fit without `fold`, stores the columns of the fold's rows, and returns the fit."""
    level(fit)
    _score(fit, design, fold, columns)
    return fit


def _dropped(design: Design, columns: np.ndarray, fold: int, fit: Fit) -> None:
    """Does as _scored, but lets go of the fit."""
    _scored(design, columns, fold, fit)


def _of_training(facts: np.ndarray) -> np.ndarray:
    """Returns the weights of a fit of training rows."""
    return np.asarray(facts["weight"] * (facts["fold"] == TRAINING_ROW))


def _without(fold: int, facts: np.ndarray) -> np.ndarray:
    """Returns the weights of a fit without the rows of `fold` and without holdout rows."""
    return np.asarray(facts["weight"] * ((facts["fold"] != fold) & (facts["fold"] != HOLDOUT_ROW)))


def _of_all(facts: np.ndarray) -> np.ndarray:
    """Returns the weights of a fit of all rows."""
    return np.asarray(facts["weight"])


def _score(fit: Fit, design: Design, fold: int, columns: np.ndarray) -> None:
    """Stores the columns of the rows of `fold` by a fit without them."""

    def work(block: Block) -> None:
        facts = block.read(design.facts)
        members = np.flatnonzero(facts["fold"] == fold)
        means, variances = fit.scores(block)
        columns[facts["position"][members]] = effect_columns(means[members], variances[members], fit.coupling)

    for _ in in_order(work, design.blocks(), fit.threads):
        pass
