"""Writes results.csv: `tweet_id,engaging_user_id,reply,retweet,retweet_with_comment,like`, a line for every test row.

No header, no quotes, probabilities with nine decimals. What does not belong here: where tweets and features come from
(predict, the assets), and reading a results.csv (scoring.results_file).
"""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.files.parquet import batches
from engage_pipeline.interactions.features.rows import FeatureFile
from engage_pipeline.interactions.features.scored_file import ScoredFile
from engage_pipeline.progress import progress
from engage_pipeline.submission.scoring.results_file import ID_COLUMNS, RESULT_COLUMNS

BATCH_ROWS = 16_384
DECIMALS = 9
_DECIMAL = pa.decimal128(DECIMALS + 1, DECIMALS)
_LINE = pa.schema([pa.field(name, pa.string()) for name in RESULT_COLUMNS])
_PLACES = [schema.TARGETS.index(engagement) for engagement in schema.SUBMISSION_ENGAGEMENTS]


class ProbabilitySource(Protocol):
    """A model that scores feature rows."""

    def probabilities(self, table: pa.Table) -> np.ndarray:
        """Returns the rows' probabilities, float64 [n, 4] in the order of schema.TARGETS, in (0, 1)."""


class ResultsWriter:
    """Writes lines to a results.csv, batch by batch; a context manager. `rows` counts them.

    `lowest` and `highest` are the extremes of all probabilities, `total` their sums in the order of schema.TARGETS.
    """

    def __init__(self, output: Path | IO[bytes]) -> None:
        """Creates the file, or writes to the open one, which it leaves open."""
        self.rows = 0
        self.lowest, self.highest = 1.0, 0.0
        self.total = np.zeros(len(schema.TARGETS))
        options = pc_csv.WriteOptions(include_header=False, quoting_style="none")
        self._writer = pc_csv.CSVWriter(output, _LINE, write_options=options)

    def __enter__(self) -> Self:
        """The writer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Completes the last line."""
        self._writer.close()

    def write(self, ids: pa.Table, probabilities: np.ndarray, part: object) -> None:
        """Writes a line for each row of `ids`, which has the ID_COLUMNS; `probabilities` [n, 4] as from a model.

        Raises UserError naming `part` and the line with an id that a CSV line can't hold, ValueError for a number
        outside (0, 1).
        """
        if not ((probabilities > 0) & (probabilities < 1)).all():
            raise ValueError("probabilities outside (0, 1)")
        columns = [ids[name].cast(pa.string()) for name in ID_COLUMNS]
        columns += [_texts(probabilities[:, place]) for place in _PLACES]
        try:
            self._writer.write_table(pa.table(columns, schema=_LINE))
        except pa.ArrowInvalid as error:
            raise UserError(f"{part}, {_unwritable(ids)}") from error
        self.rows += len(probabilities)
        self.total += probabilities.sum(axis=0)
        if len(probabilities):
            self.lowest = min(self.lowest, float(probabilities.min()))
            self.highest = max(self.highest, float(probabilities.max()))

    def facts(self) -> dict[str, Any]:
        """Returns rows, extremes and mean probabilities of all written lines."""
        means = self.total / max(self.rows, 1)
        return {
            "rows": self.rows,
            "lowest_probability": self.lowest if self.rows else None,
            "highest_probability": self.highest if self.rows else None,
            "mean_probability": {target: float(mean) for target, mean in zip(schema.TARGETS, means, strict=True)},
        }


def write_submission(
    model: ProbabilitySource, features: Sequence[Path], output: Path, *, scored_file: bool = False
) -> dict[str, Any]:
    """Writes the results.csv `output` for the feature files `features`, one per part; returns ResultsWriter.facts.

    `scored_file`: the model also gets the counts inside each part. Raises as ResultsWriter.write does.
    """
    total = sum(pq.read_metadata(path).num_rows for path in features)
    with ResultsWriter(output) as writer, progress("submission", total) as tracker:
        for path in features:
            counts = ScoredFile.read(path) if scored_file else None
            with FeatureFile(path) as file:
                tables = batches(file, BATCH_ROWS)
                for table in counts.along(tables) if counts else tables:
                    writer.write(table, model.probabilities(table), path)
                    tracker.advance(table.num_rows)
        return writer.facts()


def _texts(probabilities: np.ndarray) -> pa.Array:
    """Formats probabilities as `0.123456789`, as decimals, whose text has neither locale nor exponent."""
    least = 10.0**-DECIMALS
    rounded = pc.round(pa.array(np.clip(probabilities, 1000 * least, 1 - least)), DECIMALS)
    return rounded.cast(_DECIMAL, safe=False).cast(pa.string())


def _unwritable(ids: pa.Table) -> str:
    for name in ID_COLUMNS:
        special = pc.fill_null(pc.match_substring_regex(ids[name], '[,"\r\n]'), False)
        if (row := pc.index(special, True).as_py()) >= 0:
            line = ids[schema.LINE_NUMBER][row].as_py()
            return f"line {line} (from 0): {name} {ids[name][row].as_py()!r} can't stand in a comma-separated file"
    return "an id can't stand in a comma-separated file"
