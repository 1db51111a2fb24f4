"""The rules that results.csv must satisfy before it is handed out."""

from engage_pipeline.store.rules import Outcome, Rules, rule
from engage_pipeline.store.versions import Reader, Version


@rule("{lines:,} lines; every row of the test parts must have one")
def one_line_for_every_test_row(store: Reader, version: Version) -> Outcome:
    """results.csv has one line for every test row."""
    manifest, tweets = version.manifest, store.manifest("test_tweets")
    lines, rows = manifest.rows or 0, tweets.rows or 0 if tweets else 0
    compared = tweets is not None and manifest.inputs["test_tweets"] == tweets.version
    return Outcome(f"{lines:,} lines for {rows:,} rows" if compared and lines != rows else "", {"lines": lines})


RULES: dict[str, Rules] = {"submission": (one_line_for_every_test_row,)}
"""By artifact."""
