"""Figures of the ingested artifacts: of one raw part (tweet_parts, validation_tweets) or of several (test_tweets)."""

from collections.abc import Mapping

from engage_pipeline.store.facts import Facts
from engage_pipeline.store.manifests import Manifest


class IngestedFacts(Facts):
    """Figures of every ingested artifact.

    `forgotten` is the number of lines left out because of deleted tweets or users, and `forgotten_rows` that of the
    rows among them; the others would have been rejected. `deletions` is the digest of the applied lists of deletions;
    None if nothing is deleted. `rows_before` is the number of rows of the version before, and `rows_change` how many
    more there are now; rows of deleted tweets or users count in both.
    """

    forgotten: int = 0
    forgotten_rows: int = 0
    deletions: str | None = None
    rows_before: int = 0
    rows_change: int = 0


class PartFacts(IngestedFacts):
    """Figures of one raw part: `lines` = `rows` + `rejected` + `blank` + `forgotten`.

    `positives` counts rows by engagement, empty without labels; `reasons` counts rejected lines by kind; `days` are the
    first and the last engagement day, in words. `duplicates` counts rows whose tweet and viewer occurred before; None
    if an earlier version of the program did not count them. `missing_ids` counts rows without an id, by its column;
    without the columns that no row lacks.
    """

    lines: int
    rows: int
    rejected: int
    blank: int
    positives: Mapping[str, int]
    reasons: Mapping[str, int]
    days: str
    duplicates: int | None = None
    missing_ids: Mapping[str, int] = {}


class SeveralPartsFacts(IngestedFacts):
    """Figures of several raw parts: of each by name, and sums."""

    parts: Mapping[str, PartFacts]
    rejected: int = 0


def facts_by_part(manifest: Manifest) -> Mapping[str, PartFacts]:
    """Returns the figures of each raw part in an ingested artifact, by name; "" for an artifact of one part."""
    if manifest.artifact == "test_tweets":
        return SeveralPartsFacts.read(manifest).parts
    return {"": PartFacts.read(manifest)}
