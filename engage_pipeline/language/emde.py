"""EMDE codes: random hyperplanes at the median halve the token vectors; 16 planes make one code.

Efficient Manifold Density Estimator, arXiv 2006.01894. Bit p of a depth is 1 if the standardised vector's projection
on the depth's p-th direction is above the median of the fitted tokens. The 16 bits of a depth are packed into two
bytes, most significant bit first, and read as a little-endian number; the code is that number modulo width.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.errors import UserError
from engage_pipeline.language.codes import CODES, code_schema
from engage_pipeline.machine.threads import one_blas_thread
from engage_pipeline.settings.settings import Settings

EMDE = "emde.safetensors"
PLANES = 16
"""Hyperplanes per depth."""
_PLACE_VALUES = np.array([1 << (8 * (plane // 8) + 7 - plane % 8) for plane in range(PLANES)], dtype=np.int64)
"""The value of each plane's bit: byte 0, the low one, holds planes 0 to 7."""
_BLOCK_ROWS, _DIRECTIONS = 16_384, 64
"""Block sizes of the products: large enough for speed, small enough to bound the memory."""

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class EmdeCoder:
    """A fitted coder.

    `mean` and `scale` [dim] standardise, `projection` [16 x depth, dim] holds the directions, `median` [16 x depth]
    the cut of each; all float64. Codes are in [0, width).
    """

    mean: Doubles
    scale: Doubles
    projection: Doubles
    median: Doubles
    depth: int
    width: int

    def codes(self, vectors: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
        """Returns the codes, int32 [n, depth], of fitted or new vectors [n, dim]."""
        planes = significant_planes(self.width)
        kept = (np.arange(self.depth)[:, None] * PLANES + planes).ravel()
        codes = np.empty((len(vectors), self.depth), dtype=np.int32)
        for rows, projected in _project(vectors, self.mean, self.scale, self.projection[kept]):
            bits = (projected > self.median[kept]).reshape(-1, self.depth, len(planes))
            codes[rows] = (bits @ _PLACE_VALUES[planes]) % self.width
        return codes

    def save(self, path: Path) -> None:
        """Writes the coder as safetensors, depth and width in its metadata. Equal coders give equal bytes."""
        from safetensors.numpy import save_file

        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in _ARRAYS}
        save_file(arrays, path, metadata={"emde": json.dumps({"depth": self.depth, "width": self.width})})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what `save` wrote. Raises UserError if the file is not a coder."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                shape = json.loads(file.metadata()["emde"])
                return cls(**{name: file.get_tensor(name) for name in _ARRAYS}, **shape)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: not an EMDE coder; materialize emde_sketches again") from error


_ARRAYS = ("mean", "scale", "projection", "median")


def significant_planes(width: int) -> npt.NDArray[np.int64]:
    """Returns the planes of a depth that can change a code modulo `width`: for 256, half of them."""
    return np.flatnonzero(_PLACE_VALUES % width)


def fit_emde(vectors: npt.NDArray[Any], *, depth: int, width: int, seed: int) -> EmdeCoder:
    """Fits a coder to `vectors` [n, dim]: each plane has half of them on either side.

    Standardisation follows scikit-learn's StandardScaler (population deviation; constant columns are not scaled), the
    directions its GaussianRandomProjection: independent N(0, 1 / (16 x depth)). Raises UserError if n is 0.
    """
    if len(vectors) == 0:
        raise UserError("emde_sketches: no token vectors to fit")
    mean, scale = _standardisation(vectors)
    components = PLANES * depth
    rng = np.random.default_rng(seed)
    projection = rng.standard_normal((components, vectors.shape[1])) / np.sqrt(components)
    median = np.empty(components)
    for start in range(0, components, _DIRECTIONS):
        directions = projection[start : start + _DIRECTIONS]
        projected = np.empty((len(directions), len(vectors)))
        for rows, block in _project(vectors, mean, scale, directions):
            projected[:, rows] = block.T
        median[start : start + _DIRECTIONS] = middle(projected)
    return EmdeCoder(mean, scale, projection, median, depth, width)


def middle(values: Doubles) -> Doubles:
    """Returns, per row of `values` [rows, n], the midpoint between the lower half's last value and the next one.

    For even n, this is the median. For odd n, as many values lie above it as above the median, but none equals it:
    rounding would decide on which side an equal value lies when it is coded again.
    """
    count = values.shape[1]
    last = (count - 1) // 2
    following = min(last + 1, count - 1)
    ordered = np.partition(values, (last, following), axis=1)
    return (ordered[:, last] + ordered[:, following]) / 2


@one_blas_thread()
def code_tokens(token_vectors: Path, output: Path, settings: Settings) -> dict[str, Any]:
    """Fits a coder on token_vectors.parquet; writes codes.parquet (token, codes) and emde.safetensors into `output`.

    Of no tokens there is no coder, and codes.parquet is empty. Returns tokens, depth, width, used_share (the share of
    code values in use), and occupancy (see `code_occupancy`); of no tokens also why.
    """
    table = pq.read_table(token_vectors)
    column = table["vector"].combine_chunks()
    vectors = column.flatten().to_numpy().reshape(len(column), column.type.list_size)
    depth, width = settings.sketch_depth, settings.sketch_width
    codes = np.empty((0, depth), np.int32)
    if len(vectors):
        coder = fit_emde(vectors, depth=depth, width=width, seed=settings.seed)
        codes = coder.codes(vectors)
        coder.save(output / EMDE)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(codes.ravel(), pa.int32()), depth)
    columns = [table["token"].combine_chunks(), lists]
    pq.write_table(pa.table(columns, schema=code_schema(depth)), output / CODES, compression="zstd")
    used = np.mean([len(np.unique(codes[:, level])) / width for level in range(depth)])
    shares = {"used_share": round(float(used), 4), "occupancy": code_occupancy(codes, width)}
    why = {} if len(codes) else {"why": "no token has a vector"}
    return {"tokens": len(codes), "depth": depth, "width": width, **shares, **why}


def code_occupancy(codes: npt.NDArray[np.int32], width: int) -> list[list[int]]:
    """Returns quantiles 0, 0.25, 0.5, 0.75 and 1 of the number of tokens per code, for each depth."""
    counts = (np.bincount(level, minlength=width) for level in codes.T)
    return [np.quantile(of_codes, (0, 0.25, 0.5, 0.75, 1), method="lower").tolist() for of_codes in counts]


def _standardisation(vectors: npt.NDArray[Any]) -> tuple[Doubles, Doubles]:
    mean = vectors.mean(axis=0, dtype=np.float64)
    variance = np.zeros_like(mean)
    for rows in _blocks(len(vectors)):
        variance += np.square(vectors[rows] - mean).sum(axis=0)
    scale = np.sqrt(variance / len(vectors))
    scale[scale <= np.finfo(np.float64).eps * np.maximum(1, np.abs(mean))] = 1
    return mean, scale


def _project(
    vectors: npt.NDArray[Any], mean: Doubles, scale: Doubles, projection: Doubles
) -> Iterator[tuple[slice, Doubles]]:
    """Yields blocks of rows and the projections [rows, directions] of their standardised vectors."""
    folded = (projection / scale).T
    shift = mean @ folded
    for rows in _blocks(len(vectors)):
        yield rows, vectors[rows].astype(np.float64) @ folded - shift


def _blocks(rows: int) -> Iterator[slice]:
    return (slice(start, start + _BLOCK_ROWS) for start in range(0, rows, _BLOCK_ROWS))
