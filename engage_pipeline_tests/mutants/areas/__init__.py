"""The mutations, a module an area."""

from engage_pipeline_tests.mutants.areas import (
    effects,
    forgetting,
    ingest,
    interactions,
    language,
    model,
    sql,
    submission,
)

MUTATIONS = [
    *ingest.MUTATIONS,
    *forgetting.MUTATIONS,
    *sql.MUTATIONS,
    *interactions.MUTATIONS,
    *effects.MUTATIONS,
    *model.MUTATIONS,
    *language.MUTATIONS,
    *submission.MUTATIONS,
]
