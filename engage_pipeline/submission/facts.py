"""Figures of the submission."""

from collections.abc import Mapping

from engage_pipeline.store.promoted_counters import CountersRead


class SubmissionFacts(CountersRead):
    """Figures of submission: lines of results.csv, and counts of what the model never saw (unknown.count_unknown)."""

    rows: int
    unknown: Mapping[str, int]
