"""Makes engagement_effects: samples the effects, and scores each validation row by effects that never saw it.

A fine-tuning row is scored by effects fitted without the rows of its fold; a holdout row by effects fitted without
holdout rows, which decide whether a model is promoted. The published effects are fitted to all rows. What does not
belong here: sampling (chain), the files (tables).
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.files.atomic import scratch_folder
from engage_pipeline.machine import full_disk
from engage_pipeline.machine.memory import reuse_memory
from engage_pipeline.machine.parallel import in_order
from engage_pipeline.machine.shares import memory_bytes, threads_of
from engage_pipeline.machine.spill import EFFECTS_PREFIX, spill_folder
from engage_pipeline.machine.threads import one_blas_thread
from engage_pipeline.model.effects.chain import Chain
from engage_pipeline.model.effects.columns import effect_columns, no_effects, write_columns
from engage_pipeline.model.effects.design import Block, Design
from engage_pipeline.model.effects.effects import Effect, effects_of
from engage_pipeline.model.effects.fields import Clusters
from engage_pipeline.model.effects.kernels import K
from engage_pipeline.model.effects.nesting import find_nested
from engage_pipeline.model.effects.numbering import build_design
from engage_pipeline.model.effects.rows import FittedRows, read_fitted_rows
from engage_pipeline.model.effects.sweeps import PUBLISHED_CHAINS, Sweeps
from engage_pipeline.model.effects.tables import table_file, write_description, write_table
from engage_pipeline.model.effects.together import Together
from engage_pipeline.model.validation_roles import DECIDED, HOLDOUT_ROW, TRAINING_ROW
from engage_pipeline.progress import LOGGER, progress
from engage_pipeline.settings.settings import Settings

_ROW_BYTES, _LEAST_BYTES = 1_000, 4_000_000
"""Bytes of disk a row while effects are fitted, and of the last blocks of files: for the message of a full disk."""
_HELD_BYTES = 100
"""Bytes of memory a row of two chains, with the keys of viewers; beyond a quarter of engine.memory_limit they are in
files."""


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
    reuse_memory()
    with _told_when_full(training, validation, output, settings) as folder:
        rows = read_fitted_rows(training, validation, clusters, folder / "rows", settings)
        if not rows.fitted:
            raise UserError(f"{validation}: no row to fit effects to")
        design, keys = build_design(rows.shards, effects, folder / "all", threads_of(settings))
        shutil.rmtree(folder / "rows")
        columns = no_effects(rows.n_validation)
        for chain, prefix in _sample(rows, design, effects, folder, columns, settings):
            sizes = [
                write_table(effect, own, values, chain.kept, output / table_file(effect.name, prefix), folder / "table")
                for effect, own, values in zip(effects, keys, chain.keys, strict=True)
            ]
            names = (effect.name for effect in effects)
            covariances = dict(zip(names, chain.kept_covariances / chain.kept, strict=True))
            ends = rows.window_end, rows.newest
            write_description(chain.intercepts, chain.coupling, covariances, *ends, output, prefix)
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


def _sample(
    rows: FittedRows, design: Design, effects: Sequence[Effect], folder: Path, columns: np.ndarray, settings: Settings
) -> Iterator[tuple[Chain, str]]:
    """Runs the chain of the training rows; from its end, chains without each fold, and without the holdout rows; from
    the end of these, chains of all rows. Yields the last two with the prefix of their files.

    Stores EFFECT_COLUMNS of each validation row in `columns`, by a chain without that row.
    """
    sweeps, folds = Sweeps.of(len(design), settings.effects), [*rows.folds, HOLDOUT_ROW]
    in_files = len(design) * _HELD_BYTES > memory_bytes(settings.engine.memory_limit) // 4
    state = folder if in_files else None
    nested = find_nested(design, effects, folder / "nested", threads_of(settings))
    deviations = [effect.deviation for effect in effects]
    first = sweeps.settling if len(design) > rows.n_validation else 0  # without training rows it would wander
    total = sweeps.total(len(folds), settled=first > 0, refit=settings.refit)
    LOGGER.info("engagement_effects: %s", sweeps.reason(total, len(design), settings.effects))
    with progress("engagement_effects", total, "sweeps") as tracker:
        begin = design, _of_training, nested, deviations, settings.seed, state and state / "training"
        training = Chain.begin(*begin, threads_of(settings))
        for number in range(first):
            training.sweep(learn=number > 1)
            tracker.advance(1)
        chains = Together(state, tracker.advance)
        for place, fold in enumerate(folds, 1):
            weights, seed = partial(_without, fold), settings.seed + place
            learn = fold == HOLDOUT_ROW
            chain = chains.run(training, weights, seed, sweeps.of_fold, "fold", count=1, learn=learn)
            _score(chain, design, fold, columns)
        del training  # three chains are held at a time: now those of all rows come
        yield chain, DECIDED
        if settings.refit:
            seed, count = settings.seed + len(folds) + 1, PUBLISHED_CHAINS
            chain = chains.run(chain, _of_all, seed, sweeps.published, "all-rows", count=count, learn=True)
        yield chain, ""


def _of_training(facts: np.ndarray) -> np.ndarray:
    """Returns the weights of a chain of training rows."""
    return np.asarray(facts["weight"] * (facts["fold"] == TRAINING_ROW))


def _without(fold: int, facts: np.ndarray) -> np.ndarray:
    """Returns the weights of a chain without the rows of `fold` and without holdout rows."""
    return np.asarray(facts["weight"] * ((facts["fold"] != fold) & (facts["fold"] != HOLDOUT_ROW)))


def _of_all(facts: np.ndarray) -> np.ndarray:
    """Returns the weights of a chain of all rows."""
    return np.asarray(facts["weight"])


def _score(chain: Chain, design: Design, fold: int, columns: np.ndarray) -> None:
    """Stores the columns of the rows of `fold` by a chain without them."""

    def work(block: Block) -> None:
        facts = block.read(design.facts)
        members = np.flatnonzero(facts["fold"] == fold)
        means, variances = chain.scores(block)
        columns[facts["position"][members]] = effect_columns(means[members], variances[members], chain.coupling)

    for _ in in_order(work, design.blocks(), chain.threads):
        pass
