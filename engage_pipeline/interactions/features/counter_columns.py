"""The counters of rows as columns in memory, filled family by family."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline import schema
from engage_pipeline.interactions.single_row.counters import SCORE_UNITS
from engage_pipeline.schema import LINE_NUMBER

_COUNTERS = (*schema.INTERACTION_FEATURES, *schema.EXPOSURE_FEATURES)
_FRACTIONS = frozenset(schema.SIMILARITY_FEATURES)

Columns = Mapping[str, npt.NDArray]
"""Columns [n] by name."""


class CounterColumns:
    """schema.INTERACTION_FEATURES, EXPOSURE_FEATURES and the `further` features of n rows, by name.

    The similarity features are float64 [n], the others int32 [n]. They start at 0.
    """

    def __init__(self, places: npt.NDArray[np.int32], rows: int, further: Sequence[str] = ()) -> None:
        """`places` holds the place of each row by line number, int32 [highest line number + 1]."""
        self._places = places
        names = (*_COUNTERS, *further)
        self._columns = {name: np.zeros(rows, np.float64 if name in _FRACTIONS else np.int32) for name in names}

    def put(self, family: str, counts: pa.Table) -> None:
        """Enters the counts of lines (LINE_NUMBER), such as `like` as `<family>_like`; no line may occur twice.

        Counts without a feature are skipped.
        """
        at = self._places[counts[LINE_NUMBER].to_numpy()]
        for count in counts.column_names:
            column = self._columns.get(f"{family}_{count}")
            if column is not None:
                values = counts[count].to_numpy()
                column[at] = values / SCORE_UNITS if column.dtype == np.float64 else values

    def of_rows(self, start: int, rows: int) -> Columns:
        """Returns `rows` rows from `start` on, without a copy."""
        return {name: column[start : start + rows] for name, column in self._columns.items()}

    def clear(self) -> None:
        """Frees the memory, even if this object is still referenced."""
        self._columns = {}
