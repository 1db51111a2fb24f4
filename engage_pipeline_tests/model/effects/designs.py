"""Planted mixed models, small enough to be fitted densely."""

from dataclasses import dataclass

import numpy as np

from engage_pipeline.model.effects.design import Design


@dataclass(frozen=True)
class Planted:
    """Labels bool [n] drawn from known effects, of which the deviations are known too."""

    design: Design
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
        code = rng.integers(1, size + 1, rows).astype(np.int32)
        code[rng.random(rows) < 0.1] = 0
        values = np.append(0.0, deviation * rng.standard_normal(size))
        log_odds += values[code]
        codes.append(code)
    labels = rng.random(rows) < 1 / (1 + np.exp(-log_odds))
    return Planted(Design(codes, [size + 1 for size in sizes], rows), labels, log_odds)
