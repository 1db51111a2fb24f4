"""Distributes the rows for fitting the effects by viewer to files, batch by batch, from feature files."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.files.parquet import batches
from engage_pipeline.interactions.features.rows import FeatureFile
from engage_pipeline.model.effects.fields import DAY, ROW_COLUMNS, WIDE, Clusters, EffectRows, end_of_days
from engage_pipeline.model.effects.shards import Shards, shards_of
from engage_pipeline.model.feature_columns import column_values
from engage_pipeline.model.network.rows import read_columns
from engage_pipeline.model.validation_roles import HOLDOUT_ROW, TRAINING_ROW, effect_folds
from engage_pipeline.numerics.fingerprints import NO_FINGERPRINT
from engage_pipeline.progress import Progress, progress
from engage_pipeline.settings.settings import Settings

BATCH_ROWS = 65_536
SHARD_ROWS = 250_000
"""About so many rows are in a shard: at 160 bytes each, and 232 more while they are numbered."""
FACTS = np.dtype([("position", "i8"), ("weight", "f4"), ("draw", "i4"), ("fold", "i2"), ("labels", "u1")])
"""What is known of a row besides its keys: `position` in the file of the validation rows, -1 for training rows;
`weight`; `draw`, the lowest DRAW_BITS bits of the viewer; `fold` (validation_roles); `labels`, a bit for each of
TARGETS."""
ROW = np.dtype(
    [*((field.name, "i8" if field.name in WIDE else "i4") for field in fields(EffectRows)), ("facts", FACTS)],
    align=True,
)
"""A row on disk: the fields of EffectRows, and FACTS."""
DRAW_BITS = 20


@dataclass(frozen=True)
class FittedRows:
    """The rows of a fit: records of ROW, those of a viewer in one shard.

    `folds`: the folds of the fine-tuning rows, rising. `n_validation`: the number of validation rows. `fitted`: the
    number of rows with a weight; holdout rows have none. Ends in Unix seconds: `window_end` of the validation rows,
    `newest` of all rows.
    """

    shards: Shards
    folds: list[int]
    n_validation: int
    fitted: int
    window_end: int
    newest: int


def read_fitted_rows(
    training: Sequence[Path], validation: Path, clusters: Clusters, folder: Path, settings: Settings
) -> FittedRows:
    """Distributes the rows of the feature files of the training parts and of the validation rows to shards in `folder`.

    Raises UserError naming the file if a column is missing or has nulls.
    """
    folds = effect_folds(read_columns(validation, [schema.SPLIT])[schema.SPLIT], settings.effects.folds)
    total = len(folds) + sum(pq.read_metadata(path).num_rows for path in training)
    shards = Shards.empty(folder, -(-total // SHARD_ROWS), ROW)
    days = [_days(training), _days([validation])]
    newest = _end(days[0] + days[1])
    fitted = 0
    with progress("rows of the effects", total) as tracker:
        for paths, window, roles in ((training, days[0], None), ([validation], days[1], folds)):
            for start, table in _tables(paths, tracker):
                records = _records(EffectRows.from_table(table, clusters, _end(window), newest), table)
                facts = records["facts"]
                facts["weight"] = _weights(table, newest, settings.effects.half_life_days)
                _set_roles(facts, start, roles)
                fitted += int(np.count_nonzero(facts["weight"][facts["fold"] != HOLDOUT_ROW]))
                shards.add(records, _shards(records["viewer"], start, len(shards)))
    present = [int(fold) for fold in np.unique(folds) if fold >= 0]
    return FittedRows(shards, present, len(folds), fitted, _end(days[1]), newest)


def _days(paths: Sequence[Path]) -> Counter[int]:
    """Counts the tweets of each day since 1970."""
    found: Counter[int] = Counter()
    for path in paths:
        with pq.ParquetFile(path) as file:
            for table in batches(file, BATCH_ROWS, [schema.TWEET_TIMESTAMP]):
                try:
                    timestamps = column_values(table, schema.TWEET_TIMESTAMP)
                except (ValueError, KeyError) as error:
                    raise UserError(f"{path}: {error}") from error
                days, rows = np.unique(timestamps // DAY, return_counts=True)
                found.update(dict(zip(days.tolist(), rows.tolist(), strict=True)))
    return found


def _end(days: Counter[int]) -> int:
    return end_of_days(*np.array(sorted(days.items()), np.int64).reshape(-1, 2).T)


def _tables(paths: Sequence[Path], tracker: Progress) -> Iterator[tuple[int, pa.Table]]:
    """Yields the rows of files in batches, each with the number of rows before it."""
    start = 0
    for path in paths:
        with FeatureFile(path) as file:
            for table in batches(file, BATCH_ROWS, [*ROW_COLUMNS, *schema.TARGETS]):
                yield start, table
                start += table.num_rows
                tracker.advance(table.num_rows)


def _records(rows: EffectRows, table: pa.Table) -> np.ndarray:
    """Returns the records of `rows`, the rows of `table`, without their roles and weights: ROW [n]."""
    records = np.zeros(len(rows), ROW)
    for field in fields(rows):
        records[field.name] = getattr(rows, field.name)
    records["facts"]["draw"] = rows.viewer & ((1 << DRAW_BITS) - 1)
    for bit, target in enumerate(schema.TARGETS):
        records["facts"]["labels"] |= table[target].to_numpy().astype(np.uint8) << np.uint8(bit)
    return records


def _set_roles(facts: np.ndarray, start: int, folds: np.ndarray | None) -> None:
    """Sets position and fold of the rows from `start` on, of which `folds` is None for training rows."""
    if folds is None:
        facts["position"], facts["fold"] = -1, TRAINING_ROW
        return
    facts["position"] = np.arange(start, start + len(facts))
    facts["fold"] = folds[facts["position"]]


def _weights(table: pa.Table, newest: int, half_life_days: float | None) -> np.ndarray:
    """Returns the weight of each row: halved for every half-life before `newest`, the end of the last window."""
    if half_life_days is None:
        return np.ones(table.num_rows)
    days = np.maximum(newest - table[schema.TWEET_TIMESTAMP].to_numpy().astype(np.float64), 0) / DAY
    return np.asarray(0.5 ** (days / half_life_days))


def _shards(viewers: np.ndarray, start: int, count: int) -> np.ndarray:
    """Returns the shard of each row, int64 [n]; rows without a viewer, which share no key of one, are spread."""
    spread = np.arange(start, start + len(viewers)) % count
    return np.where(viewers == NO_FINGERPRINT, spread, shards_of(viewers.view(np.uint64), count))
