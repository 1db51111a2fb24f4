"""Labelled rows to score against, from a Parquet file of labels or from a raw part with all 24 columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.files.atomic import scratch_folder
from engage_pipeline.files.raw_parts import find_part, stem
from engage_pipeline.ingest.parsing.parquet_rows import damaged, is_parquet, open_parquet
from engage_pipeline.ingest.part_ingest import ingest_part
from engage_pipeline.locations.location import Location
from engage_pipeline.machine.spill import EVALUATE_PREFIX
from engage_pipeline.metrics import first_improbable
from engage_pipeline.plurals import counted
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.file_names import REJECTS, TWEETS
from engage_pipeline.submission.scoring.results_file import ID_COLUMNS

FOLLOWERS = "engaged_with_user_follower_count"
_TRUTH = tuple(f"p_{target}" for target in schema.TARGETS)
"""The probabilities in the files that `engage synthesize --oracle` writes with ids and labels."""
_IDENTITY_TYPES = {schema.LINE_NUMBER: pa.int64(), "part": pa.large_string()}
"""The columns with a row's place in its part; labels and oracle must agree on them if both have them."""


@dataclass(frozen=True)
class LabelledRows:
    """Rows to score: ids (columns named ID_COLUMNS), labels bool [n, 4], author followers int64 [n].

    `identity` holds line_number and part if the file has both.
    """

    path: Location
    ids: pa.Table
    labels: NDArray[np.bool_]
    followers: NDArray[np.int64]
    identity: pa.Table | None


def read_labels(path: Location, settings: Settings) -> LabelledRows:
    """Reads the labelled rows of `path`, in order. A missing id becomes empty, a missing follower count 0.

    `path` is a Parquet file with ids, follower count and labels, or a raw part with labels (or the folder of that one
    part), whose rows have the engagements with a timestamp. Raises UserError naming the file, and the column
    and row (from 0) of a label that is missing or not a truth value.
    """
    raw = path.is_dir() or not is_parquet(path) or _is_part(path)
    table = _read_part(find_part(path, follow_links=settings.follow_links), settings) if raw else _read_parquet(path)
    _require(path, table, (*ID_COLUMNS, FOLLOWERS))
    if not set(schema.TARGETS).intersection(table.column_names):
        times = map(schema.engagement_timestamp, schema.TARGETS)
        raise UserError(f"{path}: none of the columns {', '.join((*schema.TARGETS, *times))}; is it a test part?")
    _require(path, table, schema.TARGETS)
    if table.num_rows == 0:
        raise UserError(f"{path}: no rows to score")
    ids = {name: pc.fill_null(_cast(path, table, name, pa.large_string()), "") for name in ID_COLUMNS}
    followers = pc.fill_null(_cast(path, table, FOLLOWERS, pa.int64()), 0)
    labels = np.column_stack([_truth_values(path, table, name) for name in schema.TARGETS])
    return LabelledRows(path, pa.table(ids), labels, followers.to_numpy(), _identity(path, table))


def read_oracle(path: Location, rows: LabelledRows) -> NDArray[np.float64]:
    """Reads the true probabilities of `rows`, [n, 4] in TARGETS order, from a Parquet file in the same order.

    They are in columns named as TARGETS, or, beside labels, p_like and so on. Raises UserError if the file holds other
    rows, labels alone, or a value that is not a probability.
    """
    table = _read_parquet(path)
    names = _TRUTH if set(_TRUTH) <= set(table.column_names) else schema.TARGETS
    _require(path, table, names)
    if labels := [name for name in names if not pa.types.is_floating(table[name].type)]:
        raise UserError(f"{path}: column {labels[0]} holds {table[labels[0]].type}: labels, not probabilities")
    if table.num_rows != len(rows.labels):
        raise UserError(f"{path}: {counted(table.num_rows, 'row')} for the {len(rows.labels)} of {rows.path}")
    identity = _identity(path, table)
    if rows.identity is not None and identity is not None:
        for name in _IDENTITY_TYPES:
            same = pc.fill_null(pc.equal(identity[name], rows.identity[name]), False)
            if (row := pc.index(same, False).as_py()) >= 0:
                raise UserError(f"{path}: row {row} has another {name} than row {row} of {rows.path}")
    columns = [pc.fill_null(_cast(path, table, name, pa.float64()), np.nan) for name in names]
    probabilities = np.column_stack([column.to_numpy() for column in columns])
    if (wrong := first_improbable(probabilities)) is not None:
        row, column = wrong
        value = probabilities[row, column]
        raise UserError(f"{path}: row {row}, {names[column]}: {value} is not a probability in [0, 1]")
    return probabilities


def _is_part(path: Location) -> bool:
    """Returns whether the Parquet file is a raw part, which has times instead of labels."""
    with open_parquet(path) as file:
        names = set(file.schema_arrow.names)
    return not names.intersection(schema.TARGETS) and not names.isdisjoint(
        map(schema.engagement_timestamp, schema.TARGETS)
    )


def _read_parquet(path: Location) -> pa.Table:
    if not is_parquet(path):
        raise UserError(f"{path}: not a Parquet file")
    wanted = (*_IDENTITY_TYPES, *ID_COLUMNS, FOLLOWERS, *schema.TARGETS, *_TRUTH)
    with open_parquet(path) as file:
        try:
            return file.read([name for name in wanted if name in file.schema_arrow.names])
        except (pa.ArrowException, OSError) as error:
            raise damaged(path, error) from error


def _read_part(path: Location, settings: Settings) -> pa.Table:
    with scratch_folder(settings.working_dir, EVALUATE_PREFIX) as folder:
        tweets, rejects = folder / TWEETS, folder / REJECTS
        ingest_part(path, tweets=tweets, rejects=rejects, settings=settings, labelled=True, order="line")
        timestamps = {target: schema.engagement_timestamp(target) for target in schema.TARGETS}
        table = pq.read_table(tweets, columns=[schema.LINE_NUMBER, *ID_COLUMNS, FOLLOWERS, *timestamps.values()])
    labels = {target: pc.is_valid(table[column]) for target, column in timestamps.items()}
    others = {column: table[column] for column in (schema.LINE_NUMBER, *ID_COLUMNS, FOLLOWERS)}
    return pa.table({**others, **labels, "part": pa.array([stem(path)] * table.num_rows, pa.string())})


def _identity(path: Location, table: pa.Table) -> pa.Table | None:
    if not set(_IDENTITY_TYPES) <= set(table.column_names):
        return None
    return pa.table({name: _cast(path, table, name, wanted) for name, wanted in _IDENTITY_TYPES.items()})


def _require(path: Location, table: pa.Table, names: Sequence[str]) -> None:
    if missing := [name for name in names if name not in table.column_names]:
        raise UserError(f"{path}: no column{'s' if len(missing) > 1 else ''} {', '.join(missing)}")


def _cast(path: Location, table: pa.Table, name: str, wanted: pa.DataType) -> pa.ChunkedArray:
    try:
        return table[name].cast(wanted)
    except pa.ArrowException as error:
        raise UserError(f"{path}: column {name} holds {table[name].type}, not {wanted}") from error


def _truth_values(path: Location, table: pa.Table, name: str) -> NDArray[np.bool_]:
    column: Any = table[name]
    if not (pa.types.is_boolean(column.type) or pa.types.is_integer(column.type)):
        raise UserError(f"{path}: column {name} holds {column.type}, not bool")
    values = pc.fill_null(column.cast(pa.int64(), safe=False), -1).to_numpy()
    wrong = np.flatnonzero((values != 0) & (values != 1))
    if len(wrong):
        found = column[int(wrong[0])].as_py()
        raise UserError(f"{path}: row {wrong[0]}, {name}: {'missing' if found is None else found} is not a label")
    return values.astype(np.bool_)
