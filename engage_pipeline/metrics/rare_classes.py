"""Engagements of which there are too few positives or negatives: chance decides their scores."""

import math
from collections.abc import Mapping

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


def said_of_mean(rce: Mapping[str, float | None], mean: float | None) -> str:
    """Returns what to say of a `mean` that leaves out some of `rce`, by engagement; empty if it leaves out none."""
    known = [value for value in rce.values() if value is not None]
    if mean is None or math.isclose(mean, sum(known) / max(1, len(known)), abs_tol=1e-9):
        return ""
    return f"The mean leaves out engagements with fewer than {LEAST_OF_A_CLASS} rows of a class: chance decides these."
