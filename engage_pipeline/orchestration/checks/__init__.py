"""Asset checks. A blocking check stops downstream assets, in the same run and in later ones; the others warn.

Blocking checks report the verdict that a version got at its publication (store.rules). A failed version is never
opened, whether its check has run or not.
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
