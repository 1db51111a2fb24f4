"""Several short chains of the same rows, taken together: they predict better than one as long as all of them (ADR 43).

What belongs here: running and adding up the chains. What does not: which rows (training), a chain's sweeps (chain).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engage_pipeline.model.effects.chain import Chain
from engage_pipeline.model.effects.leveling import level
from engage_pipeline.model.effects.row_state import Weights

_NEXT_SEED = 1000
"""From the seed of a chain to that of the next one of the same rows."""


@dataclass(frozen=True)
class Together:
    """How chains are run: `advance` is told of each sweep; their state is in files of `folder`, None = in memory."""

    folder: Path | None
    advance: Callable[[int], object]

    def run(
        self, start: Chain, weights: Weights, seed: int, sweeps: tuple[int, int], name: str, *, count: int, learn: bool
    ) -> Chain:
        """Returns a levelled chain with what `count` chains have kept, which begin where `start` ended, with `weights`.

        Of each the first `sweeps` are thrown away, and the second kept. Files are in folders whose names end with
        `name`.
        """
        chain = self._swept(start.branch(weights, seed, self._files(name)), sweeps, learn)
        for number in range(1, count):
            another = start.branch(weights, seed + number * _NEXT_SEED, self._files(f"another-{name}"))
            add_kept(chain, self._swept(another, sweeps, learn))
        level(chain)
        return chain

    def _swept(self, chain: Chain, sweeps: tuple[int, int], learn: bool) -> Chain:
        burnt, kept = sweeps
        for number in range(burnt + kept):
            chain.sweep(keep=number >= burnt, learn=learn)
            self.advance(1)
        return chain

    def _files(self, name: str) -> Path | None:
        return None if self.folder is None else self.folder / name


def add_kept(chain: Chain, another: Chain) -> None:
    """Adds what another chain of the same rows has kept: scores and intercepts are then the means of both."""
    for own, more in zip(chain.keys, another.keys, strict=True):
        own.add_sums(more)
    chain.bases += another.bases
    chain.kept_covariances = chain.kept_covariances + another.kept_covariances
    chain.kept += another.kept
