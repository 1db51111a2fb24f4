"""Asset checks. A blocking one stops what is downstream, in the same run and in later ones; the others warn.

The blocking ones report the verdict that a version got when it was published (store.rules): nobody opens one that
failed, whether its check has run or not.
"""

from engage_pipeline.orchestration.checks import deletions, drift, ingest, model, promotion, verdicts

CHECKS = [
    *verdicts.CHECKS,
    *ingest.CHECKS,
    *drift.CHECKS,
    *model.CHECKS,
    *promotion.CHECKS,
    *deletions.CHECKS,
]
