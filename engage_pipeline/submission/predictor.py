"""A service's case: one raw row at a time, everything in memory.

    predictor = Predictor.open(settings, threads=1)
    like, retweet, retweet_with_comment, reply = predictor.predict(line)

Opened once, it holds the model and the counters (interactions.single_row.counters says how many bytes a key); a row
then takes milliseconds. It does not see what is published later: open it again. Whole parts: predict.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from engage_pipeline.files import atomic
from engage_pipeline.ingest.parsing.single_line import read_line
from engage_pipeline.interactions.single_row.features import RowFeatures
from engage_pipeline.model.bundle import TrainedModel
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.submission.predict import SCRATCH
from engage_pipeline.submission.published import hold_published


@dataclass(frozen=True)
class Predictor:
    """The published model and counters, ready for rows."""

    model: TrainedModel
    features: RowFeatures

    @classmethod
    def open(cls, settings: Settings, *, threads: int | None = None, allow_mixed: bool = False) -> Self:
        """Opens what is published; `threads` and `allow_mixed` as in predict. Raises UserError where some of it is not
        there, is damaged or was made with other settings."""
        with atomic.scratch_folder(settings.working_dir, SCRATCH) as scratch:
            held = hold_published(ArtifactStore(settings), scratch, allow_mixed=allow_mixed)
            published = held.load(threads or settings.engine.threads)
            return cls(published.model, RowFeatures(settings, **published.counts))

    def predict(self, line: bytes) -> np.ndarray:
        """Probabilities float64 [4], in the order of schema.TARGETS, of a line of a test part, labelled or not.

        They are those of `predict` for the row. Raises UserError where the line would be rejected.
        """
        return self.model.probabilities(self.features.table(read_line(line)))[0]
