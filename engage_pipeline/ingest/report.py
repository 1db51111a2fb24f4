"""The report of an ingested part: figures for people."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from engage_pipeline.engines.duckdb import DuckDBEngine
from engage_pipeline.engines.engine import statement
from engage_pipeline.ingest.facts import IngestedFacts, PartFacts, SeveralPartsFacts
from engage_pipeline.ingest.rejects import Example, RejectTally
from engage_pipeline.ingest.row_summary import RowSummary
from engage_pipeline.schema import ENGAGEMENTS, MEDIA, TWEET_TYPES
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.manifests import Manifest

_UNKNOWN = {
    "tweet_type": ("ingest/unknown_tweet_types.sql", TWEET_TYPES),
    "present_media": ("ingest/unknown_media.sql", MEDIA),
}


@dataclass(frozen=True)
class IngestReport:
    """Figures of one part: `lines` = `rows` + `rejected` + `blank` + `forgotten`.

    `forgotten` counts rows and rejected lines that were left out because of deleted tweets or users, `forgotten_rows`
    the rows among them.
    `duplicates` counts rows whose tweet and viewer occurred before. `missing_ids` counts rows without an id, by its
    column; without the columns that no row lacks.
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
    forgotten_rows: int = 0
    duplicates: int = 0
    missing_ids: dict[str, int] = field(default_factory=dict)

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
        forgotten_rows=sum(facts.forgotten_rows for facts in parts.values()),
        parts=dict(parts),
    )


def change_of_rows(before: Manifest | None, rows: int, forgotten_rows: int) -> IngestedFacts:
    """Returns the rows of the version before, and how many more there are now; deleted rows count in both.

    Both are 0 if there was no version before.
    """
    if before is None or before.rows is None:
        return IngestedFacts()
    change = rows + forgotten_rows - before.rows - IngestedFacts.read(before).forgotten_rows
    return IngestedFacts(rows_before=before.rows, rows_change=change)


def summarise(
    tweets: Path,
    summary: RowSummary,
    tally: RejectTally,
    settings: Settings,
    *,
    lines: int,
    blank: int,
    forgotten: int,
    forgotten_rows: int,
    labelled: bool,
) -> IngestReport:
    """Returns the report of the typed part `tweets` with this `summary`. Raises RuntimeError if its lines don't add up.

    Only a part with values that the challenge does not know is read again.
    """
    rows = summary.days.total()
    if rows + tally.count + blank + forgotten != lines:
        counts = f"{rows} rows + {tally.count} rejected + {blank} blank + {forgotten} forgotten"
        raise RuntimeError(f"{tweets}: {counts} lines are not {lines} lines")
    unknown = _unknown(tweets, summary, settings)
    return IngestReport(
        lines=lines,
        rows=rows,
        rejected=tally.count,
        blank=blank,
        positives={engagement: summary.positives[engagement] for engagement in ENGAGEMENTS} if labelled else {},
        reasons=dict(sorted(tally.reasons.items())),
        examples=tuple(tally.examples),
        days=(min(summary.days), max(summary.days)) if rows else None,
        unknown_tweet_types=unknown["tweet_type"],
        unknown_media=unknown["present_media"],
        duplicates=summary.duplicates(),
        missing_ids={name: count for name, count in summary.missing_ids.items() if count},
        forgotten=forgotten,
        forgotten_rows=forgotten_rows,
    )


def _unknown(tweets: Path, summary: RowSummary, settings: Settings) -> dict[str, dict[str, int]]:
    """Returns the ten most frequent unknown values of each column that has some, and their counts, by column."""
    found: dict[str, dict[str, int]] = {column: {} for column in _UNKNOWN}
    if summary.unknown:
        with DuckDBEngine(settings, readable=[tweets.parent]) as engine:
            engine.read("tweets", [tweets])
            for column in summary.unknown:
                sql, known = _UNKNOWN[column]
                found[column] = dict(engine.connection.execute(statement(sql), {"known": list(known)}).fetchall())
    return found
