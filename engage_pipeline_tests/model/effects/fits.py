"""Designs and fits of few rows."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engage_pipeline.model.effects.design import Design
from engage_pipeline.model.effects.effects import Effect
from engage_pipeline.model.effects.fitting import Fit
from engage_pipeline.model.effects.kernels import K
from engage_pipeline.model.effects.keyed_values import Array
from engage_pipeline.model.effects.marginals import RAREST_FIRST
from engage_pipeline.model.effects.nesting import find_nested
from engage_pipeline.model.effects.numbering import build_design
from engage_pipeline.model.effects.rows import ROW
from engage_pipeline.model.effects.shards import Shards, shards_of
from engage_pipeline.numerics.fingerprints import combined

VIEWER = Effect("viewer", "people_effects", ("viewer",), 1.0)
AUTHOR = Effect("author", "people_effects", ("author",), 1.0)
PAIR = Effect("pair", "pair_effects", ("viewer", "author"), 1.0, ("viewer", "author"))
HOUR = Effect("hour", "context_effects", ("hour",), 1.0)
FOLLOWS = Effect("follows", "context_effects", ("follows",), 1.0)
TREND = Effect("trend", "habit_effects", ("viewer",), 1.0, (), "age")


def records_of(labels: np.ndarray, **fields: np.ndarray) -> np.ndarray:
    """Rows with `labels` bool [n, 4] and these fields, from 1, as 0 is NO_FINGERPRINT; all weigh 1."""
    records = np.zeros(len(labels), ROW)
    for name, values in fields.items():
        records[name] = values
    records["facts"]["position"] = np.arange(len(records))
    records["facts"]["weight"] = 1
    records["facts"]["labels"] = (labels << np.arange(K)).sum(axis=1)
    return records


def design_of(records: np.ndarray, effects: Sequence[Effect], folder: Path) -> Design:
    """The design of the rows, in `folder`."""
    shards = Shards.empty(folder / "rows", 3, ROW)
    shards.add(records, shards_of(combined(records["viewer"]).view(np.uint64), 3))
    return build_design(shards, effects, folder / "design")[0]


def fit_of(
    records: np.ndarray, effects: Sequence[Effect], folder: Path, *, in_files: bool = False, threads: int = 1
) -> Fit:
    """A fit to the rows, which begins with the deviations of the effects."""
    design = design_of(records, effects, folder)
    nested = find_nested(design, effects, folder / "nested")
    deviations = [effect.deviation for effect in effects]
    return Fit.begin(design, weights, nested, deviations, folder / "fit" if in_files else None, threads)


def swept(fit: Fit, sweeps: int, *, learn: bool = False) -> Fit:
    """The fit after so many sweeps."""
    for left in reversed(range(sweeps)):
        fit.sweep(learn=learn, more=left > 0)
    return fit


def weights(facts: np.ndarray) -> np.ndarray:
    """Those of the rows."""
    return np.asarray(facts["weight"])


def by_position(fit: Fit, array: Array) -> np.ndarray:
    """What rows say, in an array of a fit, by their position, float64 [n, 4]; 0 of those that are not asked."""
    found = np.zeros((len(fit.design), K))
    for block in fit.design.blocks(fit.rows.stops):
        found[block.read(fit.design.facts)["position"]] = block.read(array)
    return found


def scores_of(fit: Fit) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the log-odds of each row by its position, float64 [n, 4] each."""
    found = np.zeros((2, len(fit.design), K))
    for block in fit.design.blocks():
        found[:, block.read(fit.design.facts)["position"]] = fit.scores(block)
    return found[0], found[1]


def odds_of(fit: Fit) -> np.ndarray:
    """The mean log-odds of each row by its position, with what its earlier engagements add: float64 [n, 4]."""
    found, labels = scores_of(fit)[0], labels_of(fit)
    for place, one in enumerate(RAREST_FIRST):
        earlier = list(RAREST_FIRST[:place])
        found[:, one] += labels[:, earlier] @ fit.coupling[one, earlier]
    return found


def deviations_of(fit: Fit) -> np.ndarray:
    """The learned deviations, float64 [effects, 4]."""
    return np.sqrt(np.diagonal(fit.covariances, axis1=1, axis2=2))


def labels_of(fit: Fit) -> np.ndarray:
    """The labels of each row by its position, bool [n, 4]."""
    found = np.zeros((len(fit.design), K), bool)
    for block in fit.design.blocks():
        facts = block.read(fit.design.facts)
        found[facts["position"]] = facts["labels"][:, np.newaxis] >> np.arange(K) & 1
    return found
