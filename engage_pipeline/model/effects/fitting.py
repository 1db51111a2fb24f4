"""The fit of the effects: normal distributions that are nearest to what rows and covariances say.

    log-odds of engagement e = base_e + sum over effects of b[key of the row]_e,    b ~ Normal(0, covariance), [4]

The base is an intercept, and what the earlier engagements of the row add (module coupling). Of each key mean and
variance are kept. A mean is where the rows' residuals, expected over the distribution of their log-odds, balance the
prior (M. Opper, C. Archambeau, The variational Gaussian approximation revisited, Neural Computation 2009). To the
variance of a key a row tells what it measures, blurred by what is not known of its other keys, as in approximate
message passing (S. Rangan, Generalized approximate message passing, 2011). Were the others taken as known, as in a mean
field, variances would be too small, and effects would vanish that the rows need. Covariances are learned from means and
variances (module covariances).

A sweep asks each row once, then moves the base, and each effect once by what is left of the residuals. It reads the
blocks of the design once for each of its passes, so that the rows may be in files: a pass applies the move before it,
moves the effects of viewers, which need the rows of their block alone, and sums what the rows say of the next shared
effect. Nested effects (a viewer, and this viewer with an author) exchange what they share before each sweep. Sums are
made in the order of the blocks, so that any number of threads finds the same. Nothing is drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engage_pipeline.machine.parallel import in_order
from engage_pipeline.model.effects import kernels
from engage_pipeline.model.effects.coupling import PATTERNS, SIZE, next_base, of_patterns
from engage_pipeline.model.effects.covariances import learned
from engage_pipeline.model.effects.design import NO_CODES, NO_SLOPES, Block, Design, LocalTerm, Readable, SharedTerm
from engage_pipeline.model.effects.kernels import N_SUMS, K
from engage_pipeline.model.effects.keyed_values import (
    KEY,
    ROW,
    Array,
    Memory,
    Spare,
    copies_of,
    in_lines,
    no_sums,
    solve,
    solve_all,
    zeros_of,
)
from engage_pipeline.model.effects.nesting import Nested, exchange
from engage_pipeline.model.effects.row_state import RESPONSES, RowState, Weights

_FEW_KEYS = 1 << 12
"""Sums of an effect with fewer keys are float64: each may be of all rows. Of more keys that takes twice as long."""
_BOLD, _CAREFUL = 0.5, 1.0
"""The share of the bound in the step of a row (kernels.respond): half of it is twice as fast, and holds for each effect
alone. All of it is taken once the rows' log loss has risen by more than _RISE."""
_RISE = 0.01
_FIRST_LEARNING = 3
"""Sweeps before covariances are learned: until then means tell where the fit began."""
Response = tuple[np.ndarray, ...]


@dataclass
class Fit:
    """A fit to the rows of `design`, by `threads` threads; `keys` and `covariances` have an element for each effect.

    `keys` float32 [keys, 8] are means and variances, `covariances` float64 [effects, 4, 4], `base` float64 [4, 5].
    `swept`: the sweeps until now. `level` [4] moves the intercepts (leveling).
    """

    design: Design
    nested: Sequence[Nested]
    rows: RowState
    keys: list[Array]
    covariances: np.ndarray
    base: np.ndarray
    threads: int = 1
    swept: int = 0
    level: np.ndarray = field(default_factory=lambda: np.zeros(K))
    _caution: float = _BOLD
    _loss: float = np.inf
    _pending: tuple[Readable, np.ndarray] | None = None
    """Moves [codes, 4] that are not yet in the residuals, for the codes [rows] of the rows."""
    _said: dict[int, np.ndarray] | None = None
    """See `_shared`; None once keys move."""
    _spare: Spare = field(default_factory=Spare)
    _memories: list[Memory] = field(default_factory=list)
    """What sweeps take of it: for moves and sums of the shared effect of a pass, or what nested effects exchange, and
    for what rows say."""

    @classmethod
    def begin(
        cls,
        design: Design,
        weights: Weights,
        nested: Sequence[Nested],
        deviations: Sequence[float],
        folder: Path | None,
        threads: int = 1,
        held: int = 0,
    ) -> "Fit":
        """Begins with effects and couplings of 0, the intercepts of the rates, and `deviations` [effects] for each
        engagement.

        Rows are in files of `folder`; None = in memory. `held` arrays of rows are in memory in any case (RowState).
        """
        rows = RowState.begin(design, weights, folder, held)
        positives, total = np.zeros(K), 0.0
        for block in design.blocks():
            labels, own = rows.facts(block)
            positives += own @ (labels[:, np.newaxis] >> np.arange(K, dtype=np.uint8) & 1)
            total += float(own.sum())
        base = np.zeros((K, SIZE))
        base[:, 0] = np.log(positives + 0.5) - np.log(total - positives + 0.5)
        covariances = np.array(deviations)[:, np.newaxis, np.newaxis] ** 2 * np.eye(K)
        return cls(design, nested, rows, zeros_of(design, folder), covariances, base, threads)

    def branch(self, weights: Weights, folder: Path | None, threads: int = 1) -> "Fit":
        """Returns a fit that goes on from here with other weights; both go their own ways."""
        rows, keys = RowState.begin(self.design, weights, folder, self.rows.held), copies_of(self.keys, folder)
        covariances, base = self.covariances.copy(), self.base.copy()
        return Fit(self.design, self.nested, rows, keys, covariances, base, threads, self.swept, _spare=self._spare)

    def sweep(self, *, learn: bool = False) -> None:
        """Moves everything once. `learn`: the covariances too."""
        learn &= self.swept >= _FIRST_LEARNING
        self._said = None
        self._memories = self._memories or self._spare.take(2 + len(RESPONSES))
        for nested in self.nested:
            exchange(nested, self.keys, self.covariances, self.threads, self._memories)
        self.rows.wake(self._memories[2:])
        self._ask()
        local: list[LocalTerm] = []
        for term in (*self.design.terms, None):
            if isinstance(term, LocalTerm):
                local.append(term)
                continue
            if local or term:
                self._pass(local, term, learn)
            local = []
        self._pending = self._said = None  # a next sweep asks the rows anew
        self.swept += 1

    def rest(self) -> None:
        """Leaves the memory that only a sweep needs to the fits that went on from here, and to those it came from."""
        self.rows.rest()
        self._spare.leave(self._memories)
        self._memories = []

    def scores(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        """Returns mean and variance of the log-odds of the rows of a block: float64 [n, 4].

        They are without `coupling`, for rows whose labels are not known.
        """
        means, variances = self._summed(block, np.zeros((block.stop - block.start, K), np.float32))
        return means + self.intercepts, variances.astype(np.float64)

    @property
    def intercepts(self) -> np.ndarray:
        """The intercept of each engagement: float64 [4]."""
        return self.base[:, 0] + self.level

    @property
    def coupling(self) -> np.ndarray:
        """What each engagement adds to each other one of its row: float64 [4, 4] (marginal_logits)."""
        return self.base[:, 1:]

    def _summed(self, block: Block, means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Adds what all effects say of the rows of a block to `means` float32 [n, 4]; returns it and the variances."""
        variances = np.zeros_like(means)
        for term in self.design.terms:
            codes, slopes = block.codes(term), term.slopes(block)
            if isinstance(term, LocalTerm):
                kernels.add_keys(codes, slopes, self.keys[term.effect].read(*term.keys(block)), means, variances)
                continue
            kernels.add_keys(codes, slopes, self._shared[term.effects[0]], means, variances)
        return means, variances

    @property
    def _shared(self) -> dict[int, np.ndarray]:
        """What each code of a shared term says, float32 [codes, 8], by the term's first effect: of a cell the sum."""
        if self._said is None:
            self._said = {
                term.effects[0]: self._of_codes(term) for term in self.design.terms if isinstance(term, SharedTerm)
            }
        return self._said

    def _of_codes(self, term: SharedTerm) -> np.ndarray:
        own = [self.keys[effect].read() for effect in term.effects]
        if term.cells is None:
            return own[0]
        found = in_lines(term.size, KEY)
        found[:] = 0
        for values, cells in zip(own, term.cells, strict=True):
            found += values[cells]
        return found

    def _ask(self) -> None:
        """Asks each row, and moves the base."""
        adds, sums, loss = of_patterns(self.base), no_sums(np.zeros((PATTERNS, K), np.float32), np.float64), 0.0

        def work(block: Block) -> tuple[float, np.ndarray, Response]:
            labels, weights = self.rows.facts(block)
            means, variances = self._summed(block, adds.take(labels, axis=0))
            response = self.rows.response(block)
            own = kernels.respond(means, variances, labels, weights, self._caution, *response)
            self._write(block, *response)
            return own, labels.astype(np.int32), response

        for own, labels, response in in_order(work, self.design.blocks(self.rows.stops), self.threads):
            loss += own
            kernels.sum_rows(labels, NO_SLOPES, *response, sums)
        if loss > self._loss * (1 + _RISE):
            self._caution = _CAREFUL
        self._loss = min(loss, self._loss)
        base = next_base(sums[:, :K], sums[:, K : 2 * K], self.base)
        self._pending = self.rows.labels, of_patterns(base - self.base)
        self.base = base

    def _write(self, block: Block, residual: np.ndarray, step: np.ndarray, breadth: np.ndarray) -> None:
        self.rows.residual.write(block.start, residual)
        self.rows.step.write(block.start, step)
        self.rows.breadth.write(block.start, breadth)

    def _pass(self, local: Sequence[LocalTerm], shared: SharedTerm | None, learn: bool) -> None:
        """Moves the effects `local`, and then the effect or effects `shared`, of which the move is pending."""
        size = shared.size if shared else 0
        known = np.zeros((size, K), np.float32)
        if shared and shared.cells is None:
            known = self.keys[shared.effects[0]].read()
        sums = no_sums(known, np.float64 if size < _FEW_KEYS else np.float32, self._memories[1])
        moments = np.zeros((len(local), 2, K, K))
        priors = [np.linalg.inv(self.covariances[term.effect]) for term in local]

        def work(block: Block) -> tuple[np.ndarray, np.ndarray, Response]:
            response = self.rows.response(block)
            residual, step, _ = response
            if self._pending is not None:
                codes = block.read(self._pending[0]).astype(np.int32, copy=False)
                kernels.move_rows(codes, NO_SLOPES, self._pending[1], step, residual)
            own = np.zeros_like(moments)
            for term, prior, found in zip(local, priors, own, strict=True):
                self._move_block(term, prior, block, response, found, learn)
            self.rows.residual.write(block.start, residual)
            return own, block.codes(shared) if shared else NO_CODES, response

        for own, codes, response in in_order(work, self.design.blocks(self.rows.stops), self.threads):
            moments += own
            kernels.sum_rows(codes, NO_SLOPES, *response, sums)
        self._pending = None
        if learn:
            for term, own in zip(local, moments, strict=True):
                self._learn(term.effect, len(self.keys[term.effect]) - len(term.first) + 1, own)
        if shared:
            self._pending = shared.codes, self._move_shared(shared, sums, learn)

    def _move_block(
        self, term: LocalTerm, prior: np.ndarray, block: Block, response: Response, moments: np.ndarray, learn: bool
    ) -> None:
        """Moves the keys of one block, and its residuals."""
        codes, slopes, keys = block.codes(term), term.slopes(block), self.keys[term.effect]
        first, last = term.keys(block)
        sums, moved = no_sums(keys.read(first, last), np.float32), np.zeros((last - first, K), np.float32)
        kernels.sum_rows(codes, slopes, *response, sums)
        solve(keys, first, last, sums, moved, prior, moments, learn=learn)
        kernels.move_rows(codes, slopes, moved, response[1], response[0])

    def _move_shared(self, term: SharedTerm, sums: np.ndarray, learn: bool) -> np.ndarray:
        """Moves the keys of the effects of `term`, one after the other; returns the move of each code, [codes, 4]."""
        moves = self._memories[0].take(term.size, ROW)
        if term.cells is None:
            moves[0] = 0
            self._move_keys(term.effects[0], sums, moves, learn)
            return moves
        moves[:] = 0
        for effect, cells in zip(term.effects, term.cells, strict=True):
            size = len(self.keys[effect])
            own, moved = np.zeros((size, N_SUMS)), np.zeros((size, K), np.float32)
            kernels.sum_cells(cells, sums, moves, own)
            self._move_keys(effect, own, moved, learn)
            moves += moved[cells]
        return moves

    def _move_keys(self, effect: int, sums: np.ndarray, moved: np.ndarray, learn: bool) -> None:
        """Moves all keys of an effect by their `sums`; writes by how much, but that of the first, into `moved`."""
        keys, moments = self.keys[effect], np.zeros((2, K, K))
        solve_all(keys, sums, moved, self.covariances[effect], moments, learn=learn, threads=self.threads)
        if learn:
            self._learn(effect, len(keys) - 1, moments)

    def _learn(self, effect: int, count: int, moments: np.ndarray) -> None:
        """Learns the covariance of an effect with `count` keys."""
        self.covariances[effect] = learned(self.covariances[effect], moments, count)
