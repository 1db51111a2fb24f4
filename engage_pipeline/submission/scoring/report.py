"""Scores a results.csv of any program against labels (`engage evaluate`)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engage_pipeline import metrics
from engage_pipeline.locations.location import Location
from engage_pipeline.plurals import counted
from engage_pipeline.settings.settings import Settings
from engage_pipeline.submission.scoring.labels import LabelledRows, read_labels, read_oracle
from engage_pipeline.submission.scoring.matching import match
from engage_pipeline.submission.scoring.results_file import read_predictions


@dataclass(frozen=True)
class ScoreReport:
    """Scores of a predictions file; with an oracle, its scores on the same rows and the share of its RCE."""

    rows: int
    scores: metrics.Scores
    oracle: metrics.Scores | None = None
    share: metrics.OracleShare | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the report as JSON types."""
        return {
            "rows": self.rows,
            "scores": self.scores.to_json(),
            "oracle": self.oracle.to_json() if self.oracle else None,
            "share": self.share.to_json() if self.share else None,
        }

    def to_text(self) -> str:
        """Returns the report for a terminal of 80 columns."""
        models = {"predictions": self.scores} | ({"oracle": self.oracle} if self.oracle else {})
        blocks = [counted(self.rows, "row"), metrics.format_groups(self.scores), metrics.format_table(models)]
        return "\n\n".join(blocks + ([metrics.format_shares(self.share)] if self.share else []))


def score_predictions(
    predictions: Location,
    labels: Location,
    oracle: Location | None,
    settings: Settings,
    chosen: Callable[[LabelledRows], NDArray[np.bool_]] | None = None,
) -> ScoreReport:
    """Scores `predictions` against `labels`, with the author groups of `settings`.

    `predictions` is a results.csv (docs/specification.md, section 8).
    `labels` is a Parquet file (tweet_id, engaging_user_id, engaged_with_user_follower_count and the four engagements)
    or a raw part with all 24 columns; `oracle` a Parquet file with the true probabilities, in the order of `labels`.
    Only the rows of `labels` that are `chosen` (bool [n]) are scored, by default all. Raises UserError naming file,
    line or row, and reason if the files can't be read or don't match.
    """
    given, rows = read_predictions(predictions), read_labels(labels, settings)
    aligned = given.probabilities[match(given, rows)]
    kept = np.full(len(aligned), True) if chosen is None else chosen(rows)
    viewers = metrics.viewer_numbers(rows.ids["engaging_user_id"].filter(pa.array(kept)))
    scores = _score(rows, aligned, kept, viewers, settings, predictions)
    if oracle is None:
        return ScoreReport(int(kept.sum()), scores)
    chances = read_oracle(oracle, rows)
    true = _score(rows, chances, kept, viewers, settings, oracle)
    share = metrics.share_of_oracle(scores, true)
    share = metrics.with_share_intervals(share, rows.labels[kept], aligned[kept], chances[kept], viewers)
    return ScoreReport(int(kept.sum()), scores, true, share)


def _score(
    rows: LabelledRows,
    probabilities: NDArray[np.float64],
    kept: NDArray[np.bool_],
    viewers: metrics.Viewers,
    settings: Settings,
    source: Location,
) -> metrics.Scores:
    edges = settings.evaluation.follower_edges
    labels, values = rows.labels[kept], probabilities[kept]
    scores = metrics.score(labels, values, rows.followers[kept], edges=edges, source=str(source))
    return metrics.with_intervals(scores, labels, values, viewers)
