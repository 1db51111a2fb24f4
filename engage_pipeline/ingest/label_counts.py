"""How many rows of typed tweets have each engagement, by day: what a person looks at to see a part's labels."""

from pathlib import Path

from engage_pipeline.engines.duckdb import DuckDBEngine
from engage_pipeline.settings.settings import Settings


def label_counts(tweets: Path, settings: Settings) -> dict[str, list[int]]:
    """`engagement_day`, `rows` and the rows of each engagement, a value a day, of the labelled tweets `tweets`."""
    with DuckDBEngine(settings, readable=[tweets.parent]) as engine:
        engine.read("tweets", [tweets])
        counts = engine.fetch("ingest/label_counts.sql")
    return {name: counts[name].to_pylist() for name in counts.column_names}
