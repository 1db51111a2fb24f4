"""The report of an ingested part: figures for people."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from duckdb import ColumnExpression, FunctionExpression

from engage_pipeline.engines.duckdb import DuckDBEngine
from engage_pipeline.engines.engine import statement
from engage_pipeline.ingest.facts import IngestedFacts, PartFacts, SeveralPartsFacts
from engage_pipeline.ingest.rejects import Example, RejectTally
from engage_pipeline.schema import ENGAGEMENT_DAY, ENGAGEMENTS, MEDIA, TWEET_TYPES, engagement_timestamp
from engage_pipeline.store.manifests import Manifest


@dataclass(frozen=True)
class IngestReport:
    """Figures of one part: `lines` = `rows` + `rejected` + `blank` + `forgotten`.

    `forgotten` counts rows and rejected lines that were left out because of deleted tweets or users.
    `duplicates` counts rows whose tweet and viewer occurred before.
    `positives` counts rows per engagement (empty without labels); `reasons` counts rejects per kind; `days` are the
    first and last engagement day, None if no row is left; `unknown_*` count the ten most frequent values that the
    challenge does not define.
    """

    lines: int
    rows: int
    rejected: int
    blank: int
    positives: dict[str, int]
    reasons: dict[str, int]
    examples: tuple[Example, ...]
    days: tuple[int, int] | None
    unknown_tweet_types: dict[str, int]
    unknown_media: dict[str, int]
    forgotten: int = 0
    duplicates: int = 0

    def facts(self) -> PartFacts:
        """Returns the report as facts: days as dates, and ids in examples shortened, because facts are shown, logged
        and copied to places that no deletion reaches."""
        days = "none" if self.days is None else " to ".join(str(np.datetime64(day, "D")) for day in self.days)
        examples = RejectTally(examples=list(self.examples)).shown_examples()
        return PartFacts(**{**asdict(self), "days": days, "examples": examples})


def facts_of_parts(parts: Mapping[str, PartFacts]) -> SeveralPartsFacts:
    """Returns the facts of an artifact with several raw parts, from the facts of each by name."""
    return SeveralPartsFacts(
        rejected=sum(facts.rejected for facts in parts.values()),
        forgotten=sum(facts.forgotten for facts in parts.values()),
        parts=dict(parts),
    )


def change_of_rows(before: Manifest | None, rows: int, forgotten: int) -> IngestedFacts:
    """Returns the rows of the version before, and how many more there are now; deleted rows count in both.

    Both are 0 if there was no version before.
    """
    if before is None or before.rows is None:
        return IngestedFacts()
    change = rows + forgotten - before.rows - IngestedFacts.read(before).forgotten
    return IngestedFacts(rows_before=before.rows, rows_change=change)


def summarise(
    engine: DuckDBEngine, tweets: Path, tally: RejectTally, *, lines: int, blank: int, forgotten: int, labelled: bool
) -> IngestReport:
    """Returns the report of the typed part `tweets`. Raises RuntimeError if its lines don't add up."""
    engine.read("tweets", [tweets])
    day = ColumnExpression(ENGAGEMENT_DAY)
    labels = [ColumnExpression(engagement_timestamp(engagement)) for engagement in ENGAGEMENTS] if labelled else []
    figures = [FunctionExpression("count", day), FunctionExpression("min", day), FunctionExpression("max", day)]
    figures += [FunctionExpression("count", label) for label in labels]
    rows, first, last, *positives = engine.connection.table("tweets").aggregate(figures).fetchall()[0]
    if rows + tally.count + blank + forgotten != lines:
        counts = f"{rows} rows + {tally.count} rejected + {blank} blank + {forgotten} forgotten"
        raise RuntimeError(f"{tweets}: {counts} lines are not {lines} lines")
    return IngestReport(
        lines=lines,
        rows=rows,
        rejected=tally.count,
        blank=blank,
        positives=dict(zip(ENGAGEMENTS, positives, strict=True)) if labelled else {},
        reasons=dict(sorted(tally.reasons.items())),
        examples=tuple(tally.examples),
        days=(first, last) if rows else None,
        unknown_tweet_types=_unknown(engine, "ingest/unknown_tweet_types.sql", TWEET_TYPES),
        unknown_media=_unknown(engine, "ingest/unknown_media.sql", MEDIA),
        duplicates=engine.fetch("ingest/duplicates.sql")["duplicates"][0].as_py(),
        forgotten=forgotten,
    )


def _unknown(engine: DuckDBEngine, sql: str, known: tuple[str, ...]) -> dict[str, int]:
    return dict(engine.connection.execute(statement(sql), {"known": list(known)}).fetchall())
