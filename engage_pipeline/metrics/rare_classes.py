"""Engagements of which there are too few positives or negatives: chance decides their scores."""

import math
from collections.abc import Mapping

from engage_pipeline.metrics.intervals import MEAN
from engage_pipeline.metrics.scores import Scores
from engage_pipeline.plurals import counted

LEAST_OF_A_CLASS = 10
"""Of fewer positives, or negatives, than this chance decides a score, and no interval shows it."""


def few_of_a_class(scores: Scores) -> dict[str, str]:
    """Returns the engagements with a score of all rows that chance decides, and how few they have, such as `1 positive
    among 706 rows`."""
    found = {}
    for name, one in scores.engagements.items():
        rows, positives = one.overall.rows, one.overall.positives
        rarer, kind = min((positives, "positive"), (rows - positives, "negative"))
        if one.overall.rce is not None and rarer < LEAST_OF_A_CLASS:
            found[name] = f"{counted(rarer, kind)} among {counted(rows, 'row')}"
    return found


def said_of_means(rce: Mapping[str, Mapping[str, float | None]]) -> str:
    """Returns what to say where the MEAN of one of the models leaves out some of its engagements; empty if none does.

    `rce` holds figures by model and engagement, and their MEAN.
    """
    for figures in rce.values():
        known = [value for name, value in figures.items() if name != MEAN and value is not None]
        mean = figures.get(MEAN)
        if mean is not None and not math.isclose(mean, sum(known) / max(1, len(known)), abs_tol=1e-9):
            few = f"fewer than {LEAST_OF_A_CLASS} rows of a class"
            return f"The mean leaves out engagements with {few}: chance decides these."
    return ""
