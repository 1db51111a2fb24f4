"""The design of a fit: for each effect, the index of each row's key; on disk, since rows may exceed memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engage_pipeline.model.effects.effects import Effect
from engage_pipeline.model.effects.fields import EffectRows
from engage_pipeline.numerics.fingerprints import NO_FINGERPRINT


@dataclass(frozen=True)
class Design:
    """The rows of a fit. `codes` int32 [n] per effect: index of each row's key, 0 = none. `sizes`: keys per effect."""

    codes: list[np.ndarray]
    sizes: list[int]
    rows: int

    def __len__(self) -> int:
        """Returns the number of rows."""
        return self.rows

    def take(self, index: np.ndarray, folder: Path | None = None) -> "Design":
        """Returns the rows at the positions `index`, in memory or in the folder `folder`."""
        codes = [_kept(codes[index], folder, str(place)) for place, codes in enumerate(self.codes)]
        return Design(codes, self.sizes, len(index))


def build_design(rows: EffectRows, effects: Sequence[Effect], folder: Path) -> tuple[Design, list[np.ndarray]]:
    """Builds the design of `rows`, with its codes in `folder`; also returns the keys of each effect, int64 [size].

    The first key is always NO_FINGERPRINT, the others are sorted.
    """
    codes, keys = [], []
    for effect in effects:
        found, places = np.unique(np.append(effect.keys(rows), NO_FINGERPRINT), return_inverse=True)
        # NO_FINGERPRINT comes first, the others stay sorted
        missing = int(np.searchsorted(found, NO_FINGERPRINT))
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
