"""What is told of an ingested part: figures for people."""

from dataclasses import dataclass
from pathlib import Path

from duckdb import ColumnExpression, FunctionExpression

from engage_pipeline.engine import Engine, statement
from engage_pipeline.ingest.rejects import Example, RejectTally
from engage_pipeline.schema import ENGAGEMENT_DAY, ENGAGEMENTS, MEDIA, TWEET_TYPES, engagement_timestamp


@dataclass(frozen=True)
class IngestReport:
    """Figures of one part: `lines` = `rows` + `rejected` + `blank`.

    `duplicates` counts rows whose tweet and viewer occurred before.
    `positives` counts rows per engagement (empty without labels); `reasons` counts rejects per kind; `days` are the
    first and last engagement day; `unknown_*` count values that the challenge doesn't know (the ten commonest).
    """

    lines: int
    rows: int
    rejected: int
    blank: int
    positives: dict[str, int]
    reasons: dict[str, int]
    examples: tuple[Example, ...]
    days: tuple[int, int]
    unknown_tweet_types: dict[str, int]
    unknown_media: dict[str, int]
    duplicates: int = 0


def summarise(
    engine: Engine, tweets: Path, tally: RejectTally, *, lines: int, blank: int, labelled: bool
) -> IngestReport:
    """The report of the typed part `tweets`, which has at least one row."""
    engine.read("tweets", [tweets])
    day = ColumnExpression(ENGAGEMENT_DAY)
    labels = [ColumnExpression(engagement_timestamp(engagement)) for engagement in ENGAGEMENTS] if labelled else []
    figures = [FunctionExpression("count", day), FunctionExpression("min", day), FunctionExpression("max", day)]
    figures += [FunctionExpression("count", label) for label in labels]
    rows, first, last, *positives = engine.connection.table("tweets").aggregate(figures).fetchall()[0]
    return IngestReport(
        lines=lines,
        rows=rows,
        rejected=tally.count,
        blank=blank,
        positives=dict(zip(ENGAGEMENTS, positives, strict=True)) if labelled else {},
        reasons=dict(sorted(tally.reasons.items())),
        examples=tuple(tally.examples),
        days=(first, last),
        unknown_tweet_types=_unknown(engine, "ingest/unknown_tweet_types.sql", TWEET_TYPES),
        unknown_media=_unknown(engine, "ingest/unknown_media.sql", MEDIA),
        duplicates=engine.fetch("ingest/duplicates.sql")["duplicates"][0].as_py(),
    )


def _unknown(engine: Engine, sql: str, known: tuple[str, ...]) -> dict[str, int]:
    return dict(engine.connection.execute(statement(sql), {"known": list(known)}).fetchall())
