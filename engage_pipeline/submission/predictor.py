"""Predicts and explains raw rows in memory, for services.

    predictor = Predictor.open(load_settings("config.yaml"), threads=1)
    probabilities = dict(zip(schema.TARGETS, predictor.predict(line)))

Once open, it holds the model, and maps the counters to memory; a row then takes milliseconds. To see what is published
later, open it again. For whole parts, see predict.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa

from engage_pipeline import schema
from engage_pipeline.files import atomic
from engage_pipeline.ingest.parsing.single_line import Row, read_line
from engage_pipeline.interactions.features.scored_file import without_file
from engage_pipeline.interactions.features.single_row import RowFeatures
from engage_pipeline.machine.spill import PREDICT_PREFIX
from engage_pipeline.machine.threads import limit_blas
from engage_pipeline.model.bundle import TrainedModel
from engage_pipeline.model.explanation.row import RowExplanation, explain_row
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.mirror.following import open_store
from engage_pipeline.submission.published import hold_published

BATCH_ROWS = 1024


@dataclass(frozen=True, repr=False)
class Predictor:
    """The published model, its `version`, and its counters in memory."""

    model: TrainedModel
    features: RowFeatures
    version: str

    @classmethod
    def open(cls, settings: Settings, *, threads: int | None = None, allow_mixed: bool = False) -> Self:
        """Loads the published model and counters; `threads` and `allow_mixed` as in predict.

        Raises UserError if one of them is missing, damaged or made with other settings, ValueError if `threads` < 1.
        """
        if threads is not None and threads < 1:
            raise ValueError(f"threads: at least 1 is needed, not {threads}")
        with atomic.scratch_folder(settings.working_dir, PREDICT_PREFIX) as scratch:
            held = hold_published(open_store(settings), scratch, allow_mixed=allow_mixed)
            published = held.load(threads or settings.engine.threads)
            limit_blas(threads or settings.engine.threads)
            return cls(published.model, RowFeatures(settings, **published.counts), published.version)

    def __repr__(self) -> str:
        """Returns the version of the model alone."""
        return f"Predictor(version={self.version!r})"

    def predict(self, line: Row) -> np.ndarray:
        """Returns the probabilities, float64 [4] in the order of schema.TARGETS, of a row.

        The row is a line of a text part with or without labels, or a mapping of the 20 columns, as from JSON: texts,
        whole numbers, true or false, lists of texts or token ids; what is missing is unknown. The probabilities equal
        those of `predict` for the row, unless the model reads counts inside the scored file: a row that comes alone has
        none. Raises UserError naming the column and the reason if the row can't be read.
        """
        return self.model.probabilities(self.features.of(read_line(line)))[0]

    def predict_many(self, lines: Sequence[Row]) -> np.ndarray:
        """Returns what `predict` does for each row, float64 [n, 4]; the model scores BATCH_ROWS together.

        Raises UserError naming the row, from 0, the column and the reason if one can't be read.
        """
        found = np.empty((len(lines), len(schema.TARGETS)))
        for start in range(0, len(lines), BATCH_ROWS):
            batch = enumerate(lines[start : start + BATCH_ROWS], start)
            rows = [self.features.of(read_line(line, f"row {number}")).table() for number, line in batch]
            found[start : start + len(rows)] = self.model.probabilities(pa.concat_tables(rows).combine_chunks())
        return found

    def explain(self, line: Row) -> RowExplanation:
        """Explains the probabilities of a row: a baseline, and what each feature adds to its log-odds.

        Raises UserError as `predict` does.
        """
        row = self.features.of(read_line(line)).table()
        return explain_row(self.model, without_file(row) if self.model.reads_scored_file else row)
