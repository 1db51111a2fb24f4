"""The leading singular vectors of a sparse matrix that is read block by block, by subspace iteration.

Source: N. Halko, P.-G. Martinsson, J. A. Tropp, "Finding structure with randomness", SIAM Review 53 (2011), algorithm
4.4 and the Rayleigh-Ritz step on A'A. Memory: two arrays with one row per column, however many rows the matrix has.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = npt.NDArray[np.float32]
Blocks = Callable[[], Iterable["csr_array"]]
"""Returns the matrix anew in each call, as blocks of rows: float32 [rows, columns]."""
OVERSAMPLING = 10
"""Additional directions, which make the requested ones converge."""
ROUNDS = 5
"""How often the matrix is read."""
_LEAST_SHARE = 1e-6
"""Share of the largest eigenvalue of A'A below which an eigenvalue is rounding of 32-bit sums."""


def leading_directions(blocks: Blocks, columns: int, dimensions: int, *, seed: int) -> tuple[Floats, Floats]:
    """Returns orthonormal right singular vectors [columns, d] and their singular values [d], descending; both float32.

    d is `dimensions`, or the matrix's numerical rank in 32 bits if that is smaller.
    """
    rng = np.random.default_rng(seed)
    start = rng.standard_normal((columns, min(dimensions + OVERSAMPLING, columns)), dtype=np.float32)
    basis = np.linalg.qr(start)[0]
    for _ in range(ROUNDS - 1):
        basis = np.linalg.qr(_squared(blocks, basis))[0]
    return _ritz(basis, _squared(blocks, basis), dimensions)


def _squared(blocks: Blocks, basis: Floats) -> Floats:
    """Returns A'A times `basis`, summed in the order of the blocks."""
    total = np.zeros_like(basis)
    for block in blocks():
        total += block.T @ (block @ basis)
    return total


def _ritz(basis: Floats, image: Floats, dimensions: int) -> tuple[Floats, Floats]:
    """Approximates A'A's eigenvectors in the span of the orthonormal `basis`; `image`: A'A basis."""
    projected = basis.T.astype(np.float64) @ image
    eigenvalues, rotation = np.linalg.eigh((projected + projected.T) / 2)
    kept = np.flatnonzero(eigenvalues > _LEAST_SHARE * eigenvalues.max(initial=np.finfo(np.float32).tiny))
    kept = kept[::-1][:dimensions]
    directions = basis @ rotation[:, kept].astype(np.float32)
    return directions, np.sqrt(eigenvalues[kept]).astype(np.float32)
