"""Engagements of which there are too few positives or negatives: chance decides their scores."""

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
