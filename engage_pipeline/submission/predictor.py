"""Predicts one raw row at a time, in memory, for services.

    predictor = Predictor.open(settings, threads=1)
    like, retweet, retweet_with_comment, reply = predictor.predict(line)

Once open, it holds the model and the counters (interactions.single_row.counters gives the bytes per key); a row then
takes milliseconds. To see what is published later, open it again. For whole parts, see predict.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from engage_pipeline.files import atomic
from engage_pipeline.ingest.parsing.single_line import read_line
from engage_pipeline.interactions.features.single_row import RowFeatures
from engage_pipeline.model.bundle import TrainedModel
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.submission.predict import SCRATCH
from engage_pipeline.submission.published import hold_published


@dataclass(frozen=True)
class Predictor:
    """The published model and counters in memory."""

    model: TrainedModel
    features: RowFeatures

    @classmethod
    def open(cls, settings: Settings, *, threads: int | None = None, allow_mixed: bool = False) -> Self:
        """Loads the published model and counters; `threads` and `allow_mixed` as in predict.

        Raises UserError if one of them is missing, damaged or made with other settings.
        """
        with atomic.scratch_folder(settings.working_dir, SCRATCH) as scratch:
            held = hold_published(ArtifactStore(settings), scratch, allow_mixed=allow_mixed)
            published = held.load(threads or settings.engine.threads)
            return cls(published.model, RowFeatures(settings, **published.counts))

    def predict(self, line: bytes) -> np.ndarray:
        """Returns the probabilities, float64 [4] in the order of schema.TARGETS, of a raw line with or without labels.

        They equal those of `predict` for the row. Raises UserError if the line would be rejected.
        """
        return self.model.probabilities(self.features.table(read_line(line)))[0]
