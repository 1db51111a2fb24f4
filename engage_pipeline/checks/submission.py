"""Checks of the submission stage: results.csv."""

from engage_pipeline.artifacts import ArtifactStore
from engage_pipeline.checks.finding import Finding, check


@check("submission")
def one_line_for_every_test_row(store: ArtifactStore) -> Finding:
    """results.csv has one line for every test row."""
    lines, rows = (store.open(name).manifest.rows or 0 for name in ("submission", "test_tweets"))
    text = f"{lines:,} lines for {rows:,} rows"
    return Finding({} if lines == rows else {None: text}, text, {"lines": lines})


CHECKS = [one_line_for_every_test_row]
