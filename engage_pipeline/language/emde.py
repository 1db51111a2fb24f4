"""EMDE codes: random hyperplanes at the median cut the token vectors in halves; 16 planes make one code.

Efficient Manifold Density Estimator, arXiv 2006.01894. Bit p of a depth is 1 where the standardised vector's
projection on the depth's p-th direction is above the median of the fitted tokens. The 16 bits of a depth, packed most
significant first into two bytes that are read little-endian, are a number; the code is that number modulo width.
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
"""Hyperplanes a depth."""
_PLACE_VALUES = np.array([1 << (8 * (plane // 8) + 7 - plane % 8) for plane in range(PLANES)], dtype=np.int64)
"""What the bit of each plane adds to the number: byte 0 holds planes 0 to 7 and is the low one."""
_BLOCK_ROWS, _DIRECTIONS = 16_384, 64
"""Sizes of the products: as large as brings speed, small enough to bound the memory."""

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class EmdeCoder:
    """A fitted coder. `mean` and `scale` [dim] standardise, `projection` [16 x depth, dim] holds the directions and
    `median` [16 x depth] where each is cut; all float64. Codes lie in [0, width).
    """

    mean: Doubles
    scale: Doubles
    projection: Doubles
    median: Doubles
    depth: int
    width: int

    def codes(self, vectors: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
        """The codes [n, depth] int32 of vectors [n, dim], fitted ones or new ones."""
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
        """Reads what `save` wrote. Raises UserError where the file is not a coder."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                shape = json.loads(file.metadata()["emde"])
                return cls(**{name: file.get_tensor(name) for name in _ARRAYS}, **shape)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: not an EMDE coder; materialize emde_sketches again") from error


_ARRAYS = ("mean", "scale", "projection", "median")


def significant_planes(width: int) -> npt.NDArray[np.int64]:
    """The planes of a depth that can change a code modulo `width`: for 256, one half of them."""
    return np.flatnonzero(_PLACE_VALUES % width)


def fit_emde(vectors: npt.NDArray[Any], *, depth: int, width: int, seed: int) -> EmdeCoder:
    """A coder for vectors like the `vectors` [n, dim]: each plane has half of them on either side.

    Standardisation is scikit-learn's StandardScaler (population deviation; a constant column is left as it is), the
    directions are its GaussianRandomProjection: independent N(0, 1 / (16 x depth)). Raises UserError where n is 0.
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
    """Per row of `values` [rows, n], halfway from the lower half's last value to the next one.

    The median where n is even. Where it is odd, as many values lie strictly above as above the median, but none lies
    exactly there, where rounding would decide on which side a value comes to lie when it is coded again.
    """
    count = values.shape[1]
    last = (count - 1) // 2
    following = min(last + 1, count - 1)
    ordered = np.partition(values, (last, following), axis=1)
    return (ordered[:, last] + ordered[:, following]) / 2


@one_blas_thread()
def code_tokens(token_vectors: Path, output: Path, settings: Settings) -> dict[str, Any]:
    """Fits a coder on token_vectors.parquet; writes codes.parquet (token, codes) and emde.safetensors into `output`.

    Returns tokens, depth, width, the share of the codes' values that are used, and their occupancy (see
    `code_occupancy`).
    """
    table = pq.read_table(token_vectors)
    column = table["vector"].combine_chunks()
    vectors = column.flatten().to_numpy().reshape(len(column), -1)
    depth, width = settings.sketch_depth, settings.sketch_width
    coder = fit_emde(vectors, depth=depth, width=width, seed=settings.seed)
    codes = coder.codes(vectors)
    coder.save(output / EMDE)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(codes.ravel(), pa.int32()), depth)
    columns = [table["token"].combine_chunks(), lists]
    pq.write_table(pa.table(columns, schema=code_schema(depth)), output / CODES, compression="zstd")
    used = np.mean([len(np.unique(codes[:, level])) / width for level in range(depth)])
    shares = {"used_share": round(float(used), 4), "occupancy": code_occupancy(codes, width)}
    return {"tokens": len(codes), "depth": depth, "width": width, **shares}


def code_occupancy(codes: npt.NDArray[np.int32], width: int) -> list[list[int]]:
    """Tokens by code, for each depth: of the fewest, the first quartile, the median, the third and the most."""
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
    """Blocks of rows, and the projections [rows, directions] of their standardised vectors; the scaler is folded in."""
    folded = (projection / scale).T
    shift = mean @ folded
    for rows in _blocks(len(vectors)):
        yield rows, vectors[rows].astype(np.float64) @ folded - shift


def _blocks(rows: int) -> Iterator[slice]:
    return (slice(start, start + _BLOCK_ROWS) for start in range(0, rows, _BLOCK_ROWS))
