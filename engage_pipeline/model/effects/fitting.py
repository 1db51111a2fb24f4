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
and sums what the rows say of the next shared effect. The last pass moves the effects of viewers, which need the rows of
their block alone, and asks these rows for the next sweep at once, while their keys are at hand; nested effects (a
viewer, and this viewer with an author) then exchange what they share (exchanges). Sums are made in the order of the
blocks, so that any number of threads finds the same. Nothing is drawn.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engage_pipeline.machine.parallel import in_order
from engage_pipeline.model.effects import kernels
from engage_pipeline.model.effects.coupling import PATTERNS, SIZE, next_base, of_patterns
from engage_pipeline.model.effects.covariances import learned
from engage_pipeline.model.effects.design import NARROW_CODE, NO_SLOPES, Block, Design, Readable, SharedTerm
from engage_pipeline.model.effects.exchanges import Exchanges, Keys
from engage_pipeline.model.effects.kernels import N_SUMS, K
from engage_pipeline.model.effects.keyed_values import (
    ROW,
    Array,
    Memory,
    Spare,
    copies_of,
    no_sums,
    put_into_files,
    solve_all,
    solve_block,
    zeros_of,
)
from engage_pipeline.model.effects.log_odds import LogOdds
from engage_pipeline.model.effects.nesting import Nested
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
Answer = tuple[float, np.ndarray, Response]
"""Of the rows of a block their log loss, their labels NARROW_CODE [n], and what they say."""


@dataclass
class Fit:
    """A fit to the rows of `design`, by `threads` threads; `keys` and `covariances` have an element for each effect.

    `keys` float32 [keys, 8] are means and variances, `covariances` float64 [effects, 4, 4], `base` float64 [4, 5].
    `swept`: the sweeps until now. `level` [4] moves the intercepts (leveling).
    """

    design: Design
    exchanges: Exchanges
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
    """Moves [codes, 4] that are not yet in the residuals, for codes or labels of the rows; None = none was asked."""
    _spare: Spare = field(default_factory=Spare)
    _memories: list[Memory] = field(default_factory=list)
    """For moves and sums of the shared effect of a pass, or what nested effects exchange, and for what rows say."""
    _odds: LogOdds = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is asked yet."""
        self._odds = LogOdds(self.design, self.keys)

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
        return cls(design, Exchanges(nested), rows, zeros_of(design, folder), covariances, base, threads)

    def branch(self, weights: Weights, folder: Path | None, threads: int = 1) -> "Fit":
        """Returns a fit that goes on from here with other weights, and sweeps before this one sweeps again."""
        rows = RowState.begin(self.design, weights, folder, self.rows.held)
        keys, known = copies_of(self.design, self.keys, folder)
        covariances, base = self.covariances.copy(), self.base.copy()
        exchanges = Exchanges(self.exchanges.nested)
        fit = Fit(self.design, exchanges, rows, keys, covariances, base, threads, self.swept, _spare=self._spare)
        fit._odds = LogOdds(self.design, known)
        return fit

    def sweep(self, *, learn: bool = False, more: bool = False) -> None:
        """Moves everything once. `learn`: the covariances too.

        `more`: a sweep follows. Until the one that none follows, the keys of viewers are not what the fit says.
        """
        learn &= self.swept >= _FIRST_LEARNING
        self._memories = self._memories or self._spare.take(2 + len(RESPONSES))
        self.rows.wake(self._memories[2:])
        if self._pending is None:
            self._answered(in_order(self._ask, self._blocks(), self.threads))
        for term in self.design.shared:
            self._pass(term, learn)
        self._end(learn, more)
        self.swept += 1

    def rest(self) -> None:
        """Leaves the memory that only a sweep needs to the fits that went on from here, and to those it came from."""
        self.rows.rest()
        self._spare.leave(self._memories)
        self._memories = []

    def put_away(self) -> None:
        """Leaves all memory, if the state is in files: for a fit that others will go on from."""
        if self.rows.folder is not None:
            put_into_files(self.keys, self.rows.folder)
            self._odds.forget()

    def scores(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        """Returns mean and variance of the log-odds of the rows of a block: float64 [n, 4].

        They are without `coupling`, for rows whose labels are not known.
        """
        nothing = np.zeros((block.stop - block.start, K), np.float32)
        means, variances = self._odds.add(block, self._odds.keys_of(block), nothing)
        return means + self.intercepts, variances.astype(np.float64)

    @property
    def intercepts(self) -> np.ndarray:
        """The intercept of each engagement: float64 [4]."""
        return self.base[:, 0] + self.level

    @property
    def coupling(self) -> np.ndarray:
        """What each engagement adds to each other one of its row: float64 [4, 4] (marginal_logits)."""
        return self.base[:, 1:]

    def _blocks(self) -> Iterator[Block]:
        return self.design.blocks(self.rows.stops)

    def _ask(self, block: Block, own: Keys | None = None, response: Response | None = None) -> Answer:
        """Asks the rows of a block, with its keys of viewers `own`."""
        labels, weights = self.rows.facts(block)
        adds = of_patterns(self.base).take(labels, axis=0)
        means, variances = self._odds.add(block, self._odds.keys_of(block) if own is None else own, adds)
        response = self.rows.response(block) if response is None else response
        loss = kernels.respond(means, variances, labels, weights, self._caution, *response)
        self.rows.write(block, *response)
        return loss, labels.astype(NARROW_CODE), response

    def _answered(self, answers: Iterable[Answer]) -> None:
        """Moves the base by what all rows have answered."""
        sums, loss = no_sums(np.zeros((PATTERNS, K), np.float32), np.float64), 0.0
        for own, labels, response in answers:
            loss += own
            kernels.sum_rows(labels, NO_SLOPES, *response, sums)
        if loss > self._loss * (1 + _RISE):
            self._caution = _CAREFUL
        self._loss = min(loss, self._loss)
        base = next_base(sums[:, :K], sums[:, K : 2 * K], self.base)
        self._pending = self.rows.labels, of_patterns(base - self.base)
        self.base = base

    def _moved(self, block: Block) -> Response:
        """Returns what the rows of a block say after the move that is pending."""
        response = self.rows.response(block)
        if self._pending is not None:
            codes = block.read(self._pending[0])
            codes = codes.astype(NARROW_CODE) if codes.itemsize == 1 else codes
            kernels.move_rows(codes, NO_SLOPES, self._pending[1], response[1], response[0])
        return response

    def _pass(self, term: SharedTerm, learn: bool) -> None:
        """Moves the effect or effects of `term`, a move that is pending then."""
        known = np.zeros((term.size, K), np.float32) if term.cells is not None else self.keys[term.effects[0]].read()
        sums = no_sums(known, np.float64 if term.size < _FEW_KEYS else np.float32, self._memories[1])

        def work(block: Block) -> tuple[np.ndarray, Response]:
            response = self._moved(block)
            self.rows.residual.write(block.start, response[0])
            return block.codes(term), response

        for codes, response in in_order(work, self._blocks(), self.threads, caller_works=True):
            kernels.sum_rows(codes, NO_SLOPES, *response, sums)
        self._pending = term.codes, self._move_shared(term, sums, learn)
        self._odds.forget()

    def _end(self, learn: bool, more: bool) -> None:
        """Moves the effects of viewers. If there are `more` sweeps, nested effects exchange, and rows are asked."""
        local, moments = self.design.local, np.zeros((len(self.design.local), 2, K, K))
        inverse = list(np.linalg.inv(self.covariances))

        def work(block: Block) -> tuple[np.ndarray, list[np.ndarray], Keys, Answer | None]:
            response, own, found = self._moved(block), self._odds.keys_of(block), np.zeros_like(moments)
            parents = self.exchanges.parents(block.number)
            self.exchanges.take(block.number, parents, own, inverse)
            for term, one in zip(local, found, strict=True):
                solve_block(term, block, response, own[term.effect], inverse[term.effect], one, learn=learn)
            for term in local:
                self.keys[term.effect].write(term.keys(block)[0], own[term.effect])
            if more:
                return found, parents, own, self._ask(block, own, response)
            self.rows.residual.write(block.start, response[0])
            return found, parents, own, None

        def answers() -> Iterator[Answer]:
            for found, parents, own, answer in in_order(work, self._blocks(), self.threads):
                np.add(moments, found, out=moments)
                if answer is not None:
                    self.exchanges.add(parents, own)
                    yield answer

        if more:
            self.exchanges.begin([len(keys) for keys in self.keys], self._memories[1])
            self._answered(answers())
        else:
            deque(answers(), maxlen=0)
            self._pending = None
        if learn:
            for term, own in zip(local, moments, strict=True):
                count = len(self.keys[term.effect]) - len(term.first) + 1
                self.covariances[term.effect] = learned(self.covariances[term.effect], own, count)
        if more:
            self.exchanges.settle(self.keys, list(np.linalg.inv(self.covariances)), self.threads, self._memories)
        else:
            self.exchanges.end()
        self._odds = LogOdds(self.design, self.keys)

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
            self.covariances[effect] = learned(self.covariances[effect], moments, len(keys) - 1)
