"""What is measured: each stage calls the library as its asset does, and publishes what it made for the next ones."""

from engage_pipeline_tests.benchmarks.stages import (
    ingesting,
    interactions,
    language,
    models,
    networks,
    operating,
    predicting,
)
from engage_pipeline_tests.benchmarks.stages.stage import Stage

STAGES: dict[str, Stage] = {
    **ingesting.STAGES,
    **interactions.STAGES,
    **ingesting.LATER,
    **language.STAGES,
    **networks.STAGES,
    **models.STAGES,
    **predicting.STAGES,
    **operating.STAGES,
}
"""Every stage in an order in which each finds what it reads."""
_COUNTS = ("interaction_counts", "author_similarity", "validation_counts")
NEEDS: dict[str, tuple[str, ...]] = {
    "interaction_counts": ("ingest",),
    "author_similarity": ("ingest",),
    "validation_counts": ("validation_tweets",),
    "interaction_features": _COUNTS,
    "validation_features": _COUNTS,
    "one_part_of_eight": _COUNTS,
    "user_communities": ("interaction_counts",),
    "finetuned_encoder": ("ingest",),
    "token_sketches": ("finetuned_encoder",),
    "token_sketches_768": ("ingest",),
    "emde_sketches": ("token_sketches",),
    "tweet_topics": ("ingest",),
    "network_demo": ("interaction_features", "emde_sketches"),
    "finetuned_network": ("network_demo", "validation_features"),
    "network_1500": ("interaction_features", "token_sketches"),
    "network_1500_fp32": ("interaction_features", "token_sketches"),
    "network_loss": ("network_1500", "network_1500_fp32", "validation_features"),
    "score_1500": ("network_1500",),
    "engagement_effects": ("interaction_features", "validation_features", "tweet_topics", "user_communities"),
    "engagement_trees": ("network_demo", "engagement_effects"),
    "candidate_model": ("finetuned_network", "engagement_trees"),
    "trained_model": ("candidate_model",),
    "predict_quarter": ("trained_model",),
    "predict": ("trained_model",),
    "one_row": ("trained_model",),
    "one_row_1500": ("wide_model",),
    "wide_model": ("network_1500", "finetuned_network", "engagement_effects"),
    "predict_1500": ("wide_model",),
}
UNREPORTED = frozenset(
    {
        "validation_tweets",
        "validation_counts",
        "validation_features",
        "finetuned_encoder",
        "trained_model",
        "wide_model",
    }
)
"""What only makes what others read."""
REPORTED = tuple(name for name in STAGES if name not in UNREPORTED)


def with_needs(names: tuple[str, ...]) -> list[str]:
    """`names` and every stage that must run before them, in order."""
    wanted: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        wanted.add(name)
        waiting += NEEDS.get(name, ())
    return [name for name in STAGES if name in wanted]
