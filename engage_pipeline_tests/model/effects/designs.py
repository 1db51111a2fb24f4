"""Planted mixed models, small enough to be fitted densely, and their designs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engage_pipeline.files.flat_arrays import FlatArray
from engage_pipeline.model.effects.design import Design
from engage_pipeline.model.effects.effects import Effect
from engage_pipeline.model.effects.fitting import Target, first_fit, fit_effects
from engage_pipeline.model.effects.numbering import build_design
from engage_pipeline.model.effects.rows import ROW
from engage_pipeline.model.effects.shards import Shards, shards_of
from engage_pipeline.model.effects.values import Fit
from engage_pipeline.numerics.fingerprints import combined

FIELDS = ("viewer", "author", "hour")


@dataclass(frozen=True)
class Planted:
    """Labels bool [n] drawn from known effects, of which the deviations are known too; `codes` [n] by effect, 0 = no
    key."""

    codes: list[np.ndarray]
    sizes: tuple[int, ...]
    labels: np.ndarray
    log_odds: np.ndarray


def planted(
    seed: int, rows: int, sizes: tuple[int, ...], deviations: tuple[float, ...], intercept: float = -0.5
) -> Planted:
    """`rows` rows, each with one of so many keys of each effect; a tenth of the rows lack a key (code 0)."""
    rng = np.random.default_rng(seed)
    log_odds = np.full(rows, intercept)
    codes = []
    for size, deviation in zip(sizes, deviations, strict=True):
        code = rng.integers(1, size + 1, rows)
        code[rng.random(rows) < 0.1] = 0
        values = np.append(0.0, deviation * rng.standard_normal(size))
        log_odds += values[code]
        codes.append(code)
    return Planted(codes, sizes, rng.random(rows) < 1 / (1 + np.exp(-log_odds)), log_odds)


@dataclass(frozen=True)
class Made:
    """The design of rows with `codes`, in a folder; `keys` uint64 by effect and code of the design."""

    codes: list[np.ndarray]
    design: Design
    keys: list[FlatArray]
    folder: Path

    def target(self, labels: np.ndarray, weights: np.ndarray | None = None) -> Target:
        """The target of `labels` bool [n] or [n, k] and `weights` float [n] or [n, k], by default 1."""
        labels = labels.reshape(len(labels), -1)
        weights = np.ones((len(labels), 1)) if weights is None else weights.reshape(len(labels), -1)

        def target(facts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return labels[facts["position"]], weights[facts["position"]]

        return target

    def fit(
        self,
        labels: np.ndarray,
        deviations: Sequence[float] | np.ndarray,
        *,
        sweeps: int,
        weights: np.ndarray | None = None,
        start: Fit | None = None,
    ) -> Fit:
        """The fit of k problems; `deviations` [effects] or [effects, k]."""
        every = np.array(deviations, np.float64).reshape(len(self.codes), -1)
        target, folder = self.target(labels, weights), self.folder / f"fit-{len(list(self.folder.glob('fit-*')))}"
        if start is None:
            start = first_fit(target, self.design, folder, every.shape[1])
        fit_effects(target, self.design, every, start, self.folder / "state", sweeps=sweeps)
        return start

    def start(self, intercept: float, effects: Sequence[Sequence[float]]) -> Fit:
        """A fit with these values of the codes 0, 1, … of each effect."""
        fit = Fit.zeros(self.design, np.array([intercept]), self.folder / "start")
        for one, file, keys in zip(effects, fit.effects, self.keys, strict=True):
            places = {int(key): code for code, key in enumerate(_keys(len(one) - 1).tolist(), 1)}
            file.write(0, np.array([one[places.get(int(key), 0)] for key in keys.read()]))
        return fit

    def values(self, fit: Fit, problem: int = 0) -> list[np.ndarray]:
        """The values of the codes 0, 1, … of each effect."""
        found = []
        for code, keys, file in zip(self.codes, self.keys, fit.effects, strict=True):
            values = dict(zip(keys.read().tolist(), file.read()[:, problem].tolist(), strict=True))
            found.append(np.array([values[0], *(values.get(key, 0.0) for key in _keys(int(code.max())).tolist())]))
        return found

    def log_odds(self, fit: Fit) -> np.ndarray:
        """The log-odds of the rows, float64 [n, k]."""
        found, opened = np.empty((len(self.codes[0]), len(fit.intercept))), fit.opened(self.design)
        for block in self.design.blocks():
            found[block.read(self.design.facts)["position"]] = opened.log_odds(block)
        return found


def made(folder: Path, codes: Sequence[np.ndarray], fields: Sequence[str] = FIELDS, **facts: np.ndarray) -> Made:
    """The design of rows with `codes` [n] as values of one field for each effect; `facts` by name, `position` their
    place."""
    records = np.zeros(len(codes[0]), ROW)
    for field, code in zip(fields, codes, strict=True):
        records[field] = code
    records["facts"]["position"] = np.arange(len(records))
    for name, values in facts.items():
        records["facts"][name] = values
    shards = Shards.empty(folder / "rows", 3, ROW)
    shards.add(records, shards_of(combined(records["viewer"]).view(np.uint64), 3))
    effects = [Effect(field, "people_effects", (field,), 1.0) for field in fields]
    design, keys = build_design(shards, effects, folder / "design")
    return Made(list(codes), design, keys, folder)


def _keys(size: int) -> np.ndarray:
    return combined(np.arange(1, size + 1)).view(np.uint64)
