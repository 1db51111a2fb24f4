"""A Gibbs sampler of the effects: a Markov chain whose draws are distributed like the effects given the labels.

    log-odds of engagement e = base_e + sum over effects of b[key of the row]_e,    b ~ Normal(0, covariance), [4]

The base is an intercept, and what the earlier engagements of the row add (module coupling). Given the Polya-Gamma
curvature of each row and engagement, all conditional distributions are normal (N. Polson, J. Scott, J. Windle, JASA
2013). A sweep draws the curvatures, then the base, then each effect once. Means and variances of the conditional
distributions are averaged over the sweeps that are kept, which tells more than the draws.
Nested effects (a viewer, and this viewer with an author) exchange what they share at the beginning of each sweep.

A sweep reads the blocks of the design once for each of its passes, so that the rows may be in files. A pass applies
the step before it, draws the effects of viewers, which need the rows of their block alone, and sums what the rows say
of the next shared effect. Random numbers are those of the sweep, the pass and the block, and sums are made in the order
of the blocks, so that any number of threads draws the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from engage_pipeline.machine.parallel import in_order
from engage_pipeline.model.effects import kernels
from engage_pipeline.model.effects.coupling import PATTERNS, SIZE, draw_base, of_patterns
from engage_pipeline.model.effects.covariances import draw_covariance, draw_scale, regular, unscaled
from engage_pipeline.model.effects.design import NO_CODES, NO_SLOPES, Block, Design, LocalTerm, SharedTerm
from engage_pipeline.model.effects.kernels import K
from engage_pipeline.model.effects.keyed_values import KeyedValues, copies_of, zeros_of
from engage_pipeline.model.effects.nesting import Nested, exchange
from engage_pipeline.model.effects.row_state import Moved, RowState, Weights

_FEW_KEYS = 1 << 16
"""Sums of an effect with fewer keys are float64: each may be of all rows."""
_BEGIN, _SHIFT, _PASS, _SHARED = range(4)
"""What the random numbers are for."""


@dataclass
class Chain:
    """A chain of the rows of `design`, by `threads` threads; each list has an element for each effect.

    `covariances`, and `scales` A (module covariances), float64 [effects, 4, 4]; `base` float64 [4, 5]. `kept`: how many
    sweeps are in the sums of `keys`, in `bases` and in `kept_covariances`. `level` [4] moves the intercepts (leveling).
    """

    design: Design
    nested: Sequence[Nested]
    seed: int
    rows: RowState
    keys: list[KeyedValues]
    covariances: np.ndarray
    scales: np.ndarray
    base: np.ndarray
    threads: int = 1
    kept: int = 0
    swept: int = 0
    bases: np.ndarray = field(default_factory=lambda: np.zeros((K, SIZE)))
    kept_covariances: np.ndarray = field(default_factory=lambda: np.zeros((0, K, K)))
    level: np.ndarray = field(default_factory=lambda: np.zeros(K))
    _pending: Moved | None = None
    _scaled: dict[int, np.ndarray] = field(default_factory=dict)
    """Matrices A - 1 of effects of viewers that are drawn and not yet applied to their values and the log-odds."""

    @classmethod
    def begin(
        cls,
        design: Design,
        weights: Weights,
        nested: Sequence[Nested],
        deviations: Sequence[float],
        seed: int,
        folder: Path | None,
        threads: int = 1,
    ) -> "Chain":
        """Begins with effects and couplings of 0, the intercepts of the rates, and `deviations` [effects] for each
        engagement.

        Rows are in files of `folder`; None = in memory.
        """
        rows = RowState.begin(design, weights, folder)
        positives, total = np.zeros(K), 0.0
        for block in design.blocks():
            own, bits = block.read(rows.weights), block.read(rows.labels)[:, np.newaxis]
            positives += own @ (bits >> np.arange(K, dtype=np.uint8) & 1)
            total += float(own.sum())
        base = np.zeros((K, SIZE))
        base[:, 0] = np.log(positives + 0.5) - np.log(total - positives + 0.5)
        scales = np.tile(np.eye(K), (len(deviations), 1, 1))
        covariances = np.array(deviations)[:, np.newaxis, np.newaxis] ** 2 * scales
        chain = cls(design, nested, seed, rows, zeros_of(design, folder), covariances, scales, base, threads)
        chain._pending = Moved(rows.labels, of_patterns(base))
        return chain

    def branch(self, weights: Weights, seed: int, folder: Path | None, threads: int = 1) -> "Chain":
        """Returns a chain that goes on from here with other weights; both go their own ways."""
        self.settle()
        rows = RowState.begin(self.design, weights, folder)
        for block in self.design.blocks():
            rows.odds.write(block.start, block.read(self.rows.odds))
        state = self.covariances.copy(), self.scales.copy(), self.base.copy(), threads
        return Chain(self.design, self.nested, seed, rows, copies_of(self.keys, folder), *state)

    def sweep(self, *, keep: bool = False, learn: bool = False) -> None:
        """Draws everything once. `keep`: add to the sums; `learn`: draw the covariances too."""
        if keep:  # each effect is drawn with its covariance from before the sweep
            self.kept_covariances = self.covariances + (self.kept_covariances if self.kept else 0.0)
            self.kept += 1
        self._begin(keep)
        for nested in self.nested:
            rng = partial(self._rng, _SHIFT, nested.fine, nested.coarse)
            exchange(nested, self.keys, self.covariances, rng, self.threads)
        local: list[LocalTerm] = []
        number = 0
        for term in (*self.design.terms, None):
            if isinstance(term, LocalTerm):
                local.append(term)
                continue
            if local or term:
                self._pass(number, local, term, keep, learn)
            local, number = [], number + 1
        self.swept += 1

    def scores(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        """Returns mean and variance of the log-odds of the rows of a block over the kept sweeps: float64 [n, 4].

        They are without `coupling`, for rows whose labels are not known.
        """
        rows = block.stop - block.start
        found = np.tile(self.bases[:, 0], (rows, 1)), np.zeros((rows, K))
        for term in self.design.terms:
            codes, slopes = block.codes(term), term.slopes(block)
            for place, effect in enumerate((term.effect,) if isinstance(term, LocalTerm) else term.effects):
                bounds = term.keys(block) if isinstance(term, LocalTerm) else (0, None)
                own = (
                    codes
                    if isinstance(term, LocalTerm) or term.cells is None
                    else term.cells[place][codes].astype(np.int32)
                )
                keys = self.keys[effect]
                kernels.add_rows(own, slopes, keys.means.read(*bounds), found[0])
                kernels.add_rows(own, slopes * slopes, keys.variances.read(*bounds), found[1])
        return found[0] / self.kept + self.level, found[1] / self.kept

    @property
    def intercepts(self) -> np.ndarray:
        """The mean intercept of each engagement over the kept sweeps: float64 [4]."""
        return self.bases[:, 0] / self.kept + self.level

    @property
    def coupling(self) -> np.ndarray:
        """The mean of what each engagement adds to each other one of its row: float64 [4, 4] (marginal_logits)."""
        return self.bases[:, 1:] / self.kept

    def _rng(self, *place: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, self.swept, *place))

    def settle(self) -> None:
        """Applies what is drawn and pending to the values and the log-odds."""

        def work(block: Block) -> None:
            odds = block.read(self.rows.odds)
            self._apply(block, odds)
            self.rows.odds.write(block.start, odds)

        for _ in in_order(work, self.design.blocks(), self.threads):
            pass
        self._pending = None
        self._scaled = {}

    def _apply(self, block: Block, odds: np.ndarray) -> None:
        """Moves the log-odds of a block by what is pending, and the values of viewers by their matrices."""
        if self._pending is not None:
            self._pending.apply(block, odds)
        for term in self.design.terms:
            if isinstance(term, LocalTerm) and term.effect in self._scaled:
                first, last = term.keys(block)
                values = self.keys[term.effect].values.read(first, last)
                moved = (values @ self._scaled[term.effect].T).astype(np.float32)
                self.keys[term.effect].values.write(first, values + moved)
                kernels.add_rows(block.codes(term), term.slopes(block), moved, odds)

    def _begin(self, keep: bool) -> None:
        """Draws the curvature of each row, and the base."""
        precision, pull = (np.zeros((PATTERNS, K)) for _ in range(2))

        def work(block: Block) -> tuple[np.ndarray, ...]:
            odds, curvature = block.read(self.rows.odds), np.empty((block.stop - block.start, K), np.float32)
            self._apply(block, odds)
            labels, weights = self.rows.facts(block)
            kernels.draw_curvatures(odds, weights, self._rng(_BEGIN, block.number), curvature)
            self.rows.odds.write(block.start, odds)
            self.rows.curvature.write(block.start, curvature)
            return labels, weights, curvature, odds

        for state in in_order(work, self.design.blocks(), self.threads):
            kernels.sum_rows(state[0].astype(np.int32), NO_SLOPES, *state, precision, pull)
        self._scaled = {}
        means, drawn = draw_base(precision, pull, self.base, self._rng(_BEGIN))
        if keep:
            self.bases += means
        self._pending = Moved(self.rows.labels, of_patterns(drawn - self.base))
        self.base = drawn

    def _pass(
        self, number: int, local: Sequence[LocalTerm], shared: SharedTerm | None, keep: bool, learn: bool
    ) -> None:
        """Draws the effects `local`, and then the effect or effects `shared`, of which the step is pending."""
        size = shared.size if shared else 0
        sums = [np.zeros((size, K), np.float64 if size < _FEW_KEYS else np.float32) for _ in range(2)]
        moments = np.zeros((len(local), 2 + K, K, K))

        def work(block: Block) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...]]:
            odds, curvature = block.read(self.rows.odds), block.read(self.rows.curvature)
            self._apply(block, odds)
            state = *self.rows.facts(block), curvature, odds
            rng, own = self._rng(_PASS, number, block.number), np.zeros_like(moments)
            for term, found in zip(local, own, strict=True):
                self._draw_block(term, block, state, rng, found, keep, learn)
            self.rows.odds.write(block.start, odds)
            return own, block.codes(shared) if shared else NO_CODES, state

        for own, codes, state in in_order(work, self.design.blocks(), self.threads):
            moments += own
            kernels.sum_rows(codes, NO_SLOPES, *state, *sums)
        self._pending, self._scaled = None, {}
        rng = self._rng(_PASS, number)
        if learn:
            for term, own in zip(local, moments, strict=True):
                count = len(self.keys[term.effect].values) - len(term.first) + 1
                self._scaled[term.effect] = self._learn(term.effect, count, own, rng) - np.eye(K)
        if shared:
            self._pending = Moved(shared.codes, self._draw_shared(shared, sums[0], sums[1], rng, keep, learn))

    def _draw_block(
        self,
        term: LocalTerm,
        block: Block,
        state: tuple[np.ndarray, ...],
        rng: np.random.Generator,
        moments: np.ndarray,
        keep: bool,
        learn: bool,
    ) -> None:
        """Draws the keys of one block, and moves its log-odds; `state` are labels, weights, curvature and odds."""
        codes, slopes, keys = block.codes(term), term.slopes(block), self.keys[term.effect]
        first, last = term.keys(block)
        precision, pull, moved = (np.zeros((last - first, K), np.float32) for _ in range(3))
        kernels.sum_rows(codes, slopes, *state, precision, pull)
        keys.draw(first, last, precision, pull, moved, self.covariances[term.effect], rng, moments, learn, keep)
        kernels.add_rows(codes, slopes, moved, state[-1])

    def _draw_shared(
        self,
        term: SharedTerm,
        precision: np.ndarray,
        pull: np.ndarray,
        rng: np.random.Generator,
        keep: bool,
        learn: bool,
    ) -> np.ndarray:
        """Draws the keys of the effects of `term`, one after the other; returns the step of each code, [codes, 4]."""
        steps = np.zeros((term.size, K), np.float32)
        for place, effect in enumerate(term.effects):
            keys, moments = self.keys[effect], np.zeros((2 + K, K, K))
            own, size = (precision, pull), len(keys.values)
            if term.cells is not None:
                own = np.zeros((size, K)), np.zeros((size, K))
                np.add.at(own[0], term.cells[place], precision)
                np.add.at(own[1], term.cells[place], pull - precision * steps)
            moved = np.zeros((size, K), np.float32)
            ranges = partial(self._rng, _SHARED, effect)
            covariance = self.covariances[effect]
            keys.draw_all(own[0], own[1], moved, covariance, ranges, moments, learn, keep, self.threads)
            if learn:
                more = keys.values.read() @ (self._learn(effect, size - 1, moments, rng) - np.eye(K)).T
                keys.values.write(0, keys.values.read() + more.astype(np.float32))
                moved += more.astype(np.float32)
            steps += moved if term.cells is None else moved[term.cells[place]]
        return steps

    def _learn(self, effect: int, count: int, moments: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draws the covariance of an effect with `count` keys, and returns the matrix to multiply its values by."""
        before = regular(self.scales[effect])
        moments = unscaled(moments, before)
        covariance, scale = draw_covariance(moments[0], count, rng), draw_scale(moments, rng)
        self.scales[effect], self.covariances[effect] = scale, scale @ covariance @ scale.T + 1e-8 * np.eye(K)
        return np.asarray(scale @ np.linalg.inv(before))
