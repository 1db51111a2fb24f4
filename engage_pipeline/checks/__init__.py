"""Asset checks. A blocking one stops what is downstream, in the same run and in later ones; the others warn.

What must hold for an artifact to be published at all (the balance of lines, the columns) is asserted where it is made,
because a check comes after publication.
"""

from engage_pipeline.checks import columns, deletions, drift, ingest, interactions, model, promotion, submission

CHECKS = [
    *columns.CHECKS,
    *ingest.CHECKS,
    *interactions.CHECKS,
    *drift.CHECKS,
    *model.CHECKS,
    *promotion.CHECKS,
    *submission.CHECKS,
    *deletions.CHECKS,
]
