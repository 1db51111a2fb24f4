"""Asset checks, one module a stage. A blocking one stops what is downstream, in the same run and in later ones.

What must hold for an artifact to be published at all (the balance of lines, the columns) is asserted where it is made,
because a check comes after publication.
"""

from engage_pipeline.checks import ingest, interactions, model, submission

CHECKS = [*ingest.CHECKS, *interactions.CHECKS, *model.CHECKS, *submission.CHECKS]
