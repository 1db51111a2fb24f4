"""The challenge's scores, and how they are printed."""

from engage_pipeline.metrics.scores import (
    CLIP,
    Average,
    EngagementScores,
    EngagementShare,
    OracleShare,
    Score,
    Scores,
    average_precision,
    cross_entropy,
    follower_groups,
    group_names,
    relative_cross_entropy,
    score,
    share_of_oracle,
)
from engage_pipeline.metrics.tables import (
    ScoreRow,
    format_markdown,
    format_shares,
    format_table,
    score_rows,
)

__all__ = [
    "CLIP",
    "Average",
    "EngagementScores",
    "EngagementShare",
    "OracleShare",
    "Score",
    "ScoreRow",
    "Scores",
    "average_precision",
    "cross_entropy",
    "follower_groups",
    "format_markdown",
    "format_shares",
    "format_table",
    "group_names",
    "relative_cross_entropy",
    "score",
    "score_rows",
    "share_of_oracle",
]
