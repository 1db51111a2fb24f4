"""Logits of validation rows by models that did not learn from them, on disk: what the weights of the blend rest on."""

from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.errors import UserError

OUT_OF_FOLD = "out_of_fold.parquet"
_ROW = "row"


class OutOfFold(NamedTuple):
    """`rows` int64 [n]: positions in validation_features, rising; `logits` float32 [n, 4] in the order of TARGETS."""

    rows: np.ndarray
    logits: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray, logits: np.ndarray) -> Self:
        """Returns them in the order of the rows, which come once each in any order."""
        order = np.argsort(rows)
        return cls(rows[order], logits[order])

    def write(self, folder: Path) -> None:
        """Writes OUT_OF_FOLD into `folder`."""
        columns = dict(zip(schema.TARGETS, self.logits.T, strict=True))
        pq.write_table(pa.table({_ROW: self.rows, **columns}), folder / OUT_OF_FOLD, compression="zstd")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Reads what `write` wrote. Raises UserError naming the file if it can't be read."""
        try:
            table = pq.read_table(folder / OUT_OF_FOLD)
            logits = np.column_stack([table[target].to_numpy() for target in schema.TARGETS])
            return cls(table[_ROW].to_numpy(), logits.reshape(-1, len(schema.TARGETS)))
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"{folder / OUT_OF_FOLD}: no out-of-fold logits: {error}") from error


def of_rows_in_both(first: OutOfFold, second: OutOfFold) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the rows that both have, int64 [n], and the logits of each, float32 [n, 4]."""
    rows, places, others = np.intersect1d(first.rows, second.rows, assume_unique=True, return_indices=True)
    return rows, first.logits[places], second.logits[others]
