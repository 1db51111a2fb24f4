"""Fits the effects by Newton steps, effect after effect; of several outcomes at once, if their rows are the same.

    log-odds = intercept + sum over effects of u[key of the row],    u ~ Normal(0, deviation²)

It finds the posterior's mode: for each key of an effect, u moves by (g - u / d²) / (h + 1 / d²), where g and h are the
sums of the gradient and of the curvature of the log likelihood over the key's rows. A sweep visits all effects once,
with the curvature at its beginning. No matrix is built, and no array of all rows is in memory: a sweep reads the blocks
of the design once for each of its passes. A pass applies the step before it, moves the effects of viewers, which need
the rows of their block alone, and sums g and h of the next shared effect.

Source of the model: X. Zhang et al., GLMix: Generalized Linear Mixed Models for Large-Scale Response Prediction (KDD
2016). What does not belong here: the deviations (priors), the keys (effects).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engage_pipeline.files.flat_arrays import FlatArray
from engage_pipeline.model.effects.design import Block, Design, LocalTerm, SharedTerm
from engage_pipeline.model.effects.sums import add_sums, sums_by_code
from engage_pipeline.model.effects.values import CHUNK, Fit

LARGEST_STEP = 2.0
"""The largest step in log-odds: without it, a key whose rows were nearly certain would overshoot."""
Target = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Returns labels bool [n, k] and weights float64 [n, k] of rows with rows.FACTS [n], for k problems; [n, 1] if they are
the same for all. A row of weight 0 is left out."""


def fit_effects(target: Target, design: Design, deviations: np.ndarray, fit: Fit, folder: Path, *, sweeps: int) -> None:
    """Moves `fit` towards the posterior mode of the effects of `target` by `sweeps` sweeps.

    `deviations` float64 [effects, k]. From a good start, a few sweeps are enough. `folder` holds files that the next
    fit there uses again.
    """
    fitting = _Fitting(design, target, deviations, fit, _State.begin(design, fit, folder))
    for _ in range(sweeps):
        fitting.sweep()


def first_fit(target: Target, design: Design, folder: Path, k: int) -> Fit:
    """Returns effects of 0 and the intercepts of k problems, with its files in `folder`.

    Half a row of each kind is added to the intercept, which stays finite with one kind only.
    """
    positives, rows = np.zeros(k), np.zeros(k)
    for block in design.blocks():
        labels, weights = target(block.read(design.facts))
        positives += (weights * labels).sum(axis=0)
        rows += weights.sum(axis=0)
    return Fit.zeros(design, np.log(positives + 0.5) - np.log(rows - positives + 0.5), folder)


@dataclass(frozen=True)
class _State:
    """What a sweep knows of each row, float64 [rows, k] each: `odds`, log-odds at its beginning; there, the gradient
    `rest` and the curvature `curve` of the log likelihood; `moved`, by how much the log-odds moved since."""

    odds: FlatArray
    rest: FlatArray
    curve: FlatArray
    moved: FlatArray

    @classmethod
    def begin(cls, design: Design, fit: Fit, folder: Path) -> "_State":
        """Makes the state before the first sweep, with the log-odds of `fit`."""
        folder.mkdir(parents=True, exist_ok=True)
        dtype, opened = np.dtype((np.float64, (len(fit.intercept),))), fit.opened(design)
        state = cls(*(FlatArray(folder / name, dtype) for name in ("odds", "rest", "curve", "moved")))
        for block in design.blocks():
            odds = opened.log_odds(block)
            state.odds.write(block.start, odds)
            state.moved.write(block.start, np.zeros_like(odds))
        return state


@dataclass
class _Pending:
    """A step that is taken and not yet in `moved` of the state, float64 [codes, k]."""

    term: SharedTerm
    step: np.ndarray

    def of(self, block: Block) -> np.ndarray:
        """Returns by how much the rows move, float64 [n, k]."""
        return self.step.take(block.codes(self.term), axis=0)


@dataclass
class _Fitting:
    """A fit under way."""

    design: Design
    target: Target
    deviations: np.ndarray
    fit: Fit
    state: _State
    pending: _Pending | None = None
    passes: list[tuple[list[LocalTerm], SharedTerm | None]] = field(init=False)
    """The effects of viewers and the shared effect of each pass."""

    def __post_init__(self) -> None:
        self.passes = []
        waiting: list[LocalTerm] = []
        for term in self.design.terms:
            if isinstance(term, LocalTerm):
                waiting.append(term)
            else:
                self.passes.append((waiting, term))
                waiting = []
        if waiting:
            self.passes.append((waiting, None))

    def sweep(self) -> None:
        """Moves the intercept, then each effect once."""
        shift = self._begin()
        self.fit.intercept += shift
        for local, shared in self.passes:
            self._pass(shift, local, shared)

    def _begin(self) -> np.ndarray:
        """Computes gradient and curvature at the present log-odds; returns the intercept's step, float64 [k]."""
        state, gradient, curvature = self.state, np.zeros_like(self.fit.intercept), np.zeros_like(self.fit.intercept)
        for block in self.design.blocks():
            odds = block.read(state.odds)
            odds += block.read(state.moved)
            if self.pending is not None:
                odds += self.pending.of(block)
            labels, weights = self.target(block.read(self.design.facts))
            weights = _wide(weights, odds.shape[1])
            with np.errstate(over="ignore"):  # of log-odds below -709, whose chance is 0
                chance = 1 / (1 + np.exp(-odds))
            rest, curve = weights * (labels - chance), weights * chance * (1 - chance)
            gradient += np.ones(len(rest)) @ rest
            curvature += np.ones(len(curve)) @ curve
            for array, values in ((state.odds, odds), (state.rest, rest), (state.curve, curve)):
                array.write(block.start, values)
        self.pending = None
        return np.clip(gradient / np.maximum(curvature, 1e-12), -LARGEST_STEP, LARGEST_STEP)

    def _pass(self, shift: np.ndarray, local: Sequence[LocalTerm], shared: SharedTerm | None) -> None:
        """Moves the effects `local`, and then the effect or effects `shared`, of which the step is pending.

        In the first pass, when none is, the log-odds have moved by `shift`, the intercept's step.
        """
        sums = [np.zeros((shared.size if shared else 0, len(shift))) for _ in range(2)]
        for block in self.design.blocks():
            if self.pending is None:
                moved = np.tile(shift, (block.stop - block.start, 1))
            else:
                moved = block.read(self.state.moved)
                moved += self.pending.of(block)
            curve, rest = block.read(self.state.curve), block.read(self.state.rest)
            rest -= curve * moved
            for term in local:
                taken = self._local_step(term, block, rest, curve)
                moved += taken
                taken *= curve
                rest -= taken
            self.state.moved.write(block.start, moved)
            if shared:
                add_sums(sums, block.read(shared.codes), (rest, curve))
        self.pending = _Pending(shared, self._shared_step(shared, *sums)) if shared else None

    def _local_step(self, term: LocalTerm, block: Block, rest: np.ndarray, curve: np.ndarray) -> np.ndarray:
        """Moves the keys of one block; returns by how much its rows move, float64 [n, k]."""
        codes, file = block.read(term.codes), self.fit.effects[term.effect]
        first, last = term.keys(block)
        values = file.read(first, last)
        gradient, curvature = sums_by_code(codes, (rest, curve), len(values))
        step = _step(values, gradient, curvature, self.deviations[term.effect])
        step[0] = 0.0  # rows without a key
        values += step
        file.write(first, values)
        return step.take(codes, axis=0)

    def _shared_step(self, term: SharedTerm, gradient: np.ndarray, curvature: np.ndarray) -> np.ndarray:
        """Moves the keys of the effects of `term`, one effect after the other; returns the step of each code."""
        if term.cells is None:
            return self._move(term.effects[0], gradient, curvature)
        steps = np.zeros_like(gradient)
        for effect, size, codes in zip(term.effects, term.sizes, term.cells, strict=True):
            of_keys = sums_by_code(codes, (gradient, curvature), size)
            taken = self._move(effect, *of_keys).take(codes, axis=0)
            steps += taken
            gradient = gradient - curvature * taken
        return steps

    def _move(self, effect: int, gradient: np.ndarray, curvature: np.ndarray) -> np.ndarray:
        """Moves all keys of an effect; returns the step of each, in the memory of `gradient`."""
        file = self.fit.effects[effect]
        for start in range(0, len(file), CHUNK):
            chunk = slice(start, start + CHUNK)
            values = file.read(start, min(start + CHUNK, len(file)))
            gradient[chunk] = _step(values, gradient[chunk], curvature[chunk], self.deviations[effect])
            gradient[0] = 0.0  # rows without a key
            file.write(start, values + gradient[chunk])
        return gradient


def _step(values: np.ndarray, gradient: np.ndarray, curvature: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """Returns the Newton step of `values`; all are float64 [keys, k], `deviations` [k]."""
    precisions = np.tile(deviations**-2, (len(values), 1))  # numpy is slow where one side has a single row
    step = precisions * values
    np.subtract(gradient, step, out=step)
    step /= curvature + precisions
    return np.clip(step, -LARGEST_STEP, LARGEST_STEP, out=step)


def _wide(values: np.ndarray, k: int) -> np.ndarray:
    """Returns `values` [n, 1] or [n, k] as [n, k]."""
    return values if values.shape[1] == k else np.repeat(values, k, axis=1)
