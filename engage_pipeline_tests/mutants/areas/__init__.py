"""The mutations, a module an area."""

from engage_pipeline_tests.mutants.areas import (
    checks,
    effects,
    forgetting,
    ingest,
    interactions,
    language,
    model,
    sql,
    store,
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
    *store.MUTATIONS,
    *checks.MUTATIONS,
    *submission.MUTATIONS,
]
