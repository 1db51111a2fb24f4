"""Matches the lines of results.csv with labelled rows."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engage_pipeline.errors import UserError
from engage_pipeline.plurals import counted
from engage_pipeline.submission.scoring.labels import LabelledRows
from engage_pipeline.submission.scoring.results_file import ID_COLUMNS, Predictions


def match(predictions: Predictions, rows: LabelledRows) -> NDArray[np.int64]:
    """Returns the index (from 0) of each labelled row's line in the predictions, int64 [n].

    Lines are matched in order if all ids agree row by row, else by (tweet_id, engaging_user_id). Raises UserError
    naming file, line and reason if a row has no line, a line no row, or if two lines or two rows have the same ids.
    """
    if predictions.ids.equals(rows.ids):
        return np.arange(len(rows.labels), dtype=np.int64)
    lines, wanted = _keys(predictions.ids), _keys(rows.ids)
    if (twice := _repeated(lines)) is not None:
        first, second = twice
        _require_same_number(predictions, rows, f"lines {first + 1} and {second + 1}")
        raise UserError(
            f"{predictions.path}, line {second + 1}: the same ids as on line {first + 1}, and the lines don't follow "
            f"the order of {rows.path}{_first_difference(predictions, rows)}"
        )
    if (twice := _repeated(wanted)) is not None:
        first, second = twice
        _require_same_number(predictions, rows, f"rows {first} and {second} of the labels")
        raise UserError(
            f"{rows.path}: rows {first} and {second} have the same ids, so {predictions.path} must be in the same "
            f"order{_first_difference(predictions, rows)}"
        )
    places = pc.index_in(wanted, value_set=lines)
    if places.null_count:
        row = pc.index(pc.is_null(places), True).as_py()
        raise UserError(f"{predictions.path}: no line for {_ids(rows.ids, row)} (row {row} of {rows.path})")
    if len(lines) > len(wanted):
        line = pc.index(pc.is_in(lines, value_set=wanted), False).as_py()
        raise UserError(f"{predictions.path}, line {line + 1}: {_ids(predictions.ids, line)} is not in {rows.path}")
    return places.to_numpy(zero_copy_only=False).astype(np.int64)


def _keys(ids: pa.Table) -> pa.Array:
    # A line's ids hold no comma, so different pairs give different keys.
    keys = pc.binary_join_element_wise(*(ids[name] for name in ID_COLUMNS), pa.scalar(",", pa.large_string()))
    return keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys


def _repeated(keys: pa.Array) -> tuple[int, int] | None:
    """Returns the indices of the first and second occurrence of the first repeated key; None if there is none."""
    first = pc.index_in(keys, value_set=keys).to_numpy(zero_copy_only=False)
    again = np.flatnonzero(first != np.arange(len(keys)))
    return (int(first[again[0]]), int(again[0])) if len(again) else None


def _require_same_number(predictions: Predictions, rows: LabelledRows, alike: str) -> None:
    """Raises UserError if there are more or fewer lines than rows; those named in `alike` have the same ids."""
    count, wanted = predictions.ids.num_rows, rows.ids.num_rows
    if count != wanted:
        raise UserError(
            f"{predictions.path} has {counted(count, 'line')}, {rows.path} {counted(wanted, 'row')}: is it of another "
            f"part? ({alike} have the same ids, so that only the order tells which line is whose)"
        )


def _first_difference(predictions: Predictions, rows: LabelledRows) -> str:
    same = [pc.equal(predictions.ids[name], rows.ids[name]) for name in ID_COLUMNS]
    return f" (line {pc.index(pc.and_(*same), False).as_py() + 1} is the first different one)"


def _ids(ids: pa.Table, row: int) -> str:
    return ", ".join(f"{name} {ids[name][row].as_py()[:64]!r}" for name in ID_COLUMNS)
