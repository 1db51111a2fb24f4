"""The mutations, a module an area."""

from engage_pipeline_tests.mutants.areas import (
    checks,
    counters,
    deciding,
    doors,
    effects,
    forgetting,
    ingest,
    interactions,
    language,
    mirror,
    model,
    rejected,
    shards,
    sql,
    store,
    submission,
)

MUTATIONS = [
    *ingest.MUTATIONS,
    *rejected.MUTATIONS,
    *forgetting.MUTATIONS,
    *sql.MUTATIONS,
    *counters.MUTATIONS,
    *shards.MUTATIONS,
    *interactions.MUTATIONS,
    *effects.MUTATIONS,
    *model.MUTATIONS,
    *deciding.MUTATIONS,
    *doors.MUTATIONS,
    *language.MUTATIONS,
    *store.MUTATIONS,
    *mirror.MUTATIONS,
    *checks.MUTATIONS,
    *submission.MUTATIONS,
]
