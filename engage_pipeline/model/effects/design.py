"""Rows as the fit sees them: for each effect the place of each row's key, on disk, so that rows may outgrow memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engage_pipeline.model.effects.effects import Effect
from engage_pipeline.model.effects.fields import EffectRows
from engage_pipeline.numerics.fingerprints import MISSING


@dataclass(frozen=True)
class Design:
    """`codes` int32 [n] and `sizes` by effect: a row's code is the place of its key, 0 where it has none."""

    codes: list[np.ndarray]
    sizes: list[int]
    rows: int

    def __len__(self) -> int:
        """How many rows."""
        return self.rows

    def take(self, index: np.ndarray, folder: Path | None = None) -> "Design":
        """The rows at the positions `index`, in memory or in the folder `folder`."""
        codes = [_kept(codes[index], folder, str(place)) for place, codes in enumerate(self.codes)]
        return Design(codes, self.sizes, len(index))


def build_design(rows: EffectRows, effects: Sequence[Effect], folder: Path) -> tuple[Design, list[np.ndarray]]:
    """The design of `rows`, its codes in `folder`, and the keys of each effect, int64 [size], sorted behind the first.

    The first key is MISSING, whether there are such rows or not.
    """
    codes, keys = [], []
    for effect in effects:
        found, places = np.unique(np.append(effect.keys(rows), MISSING), return_inverse=True)
        # MISSING comes first, the others stay sorted
        missing = int(np.searchsorted(found, MISSING))
        order = np.concatenate([[missing], np.delete(np.arange(len(found)), missing)])
        rank = np.empty(len(found), np.int32)
        rank[order] = np.arange(len(found), dtype=np.int32)
        codes.append(_kept(rank[places[:-1]], folder, effect.name))
        keys.append(found[order])
    return Design(codes, [len(found) for found in keys], len(rows)), keys


def _kept(codes: np.ndarray, folder: Path | None, name: str) -> np.ndarray:
    if folder is None or not len(codes):
        return codes
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.int32"
    with path.open("wb") as file:
        file.write(np.ascontiguousarray(codes).data)
    return np.memmap(path, np.int32, mode="r", shape=codes.shape)
