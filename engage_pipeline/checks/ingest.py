"""Checks of the ingest stage: typed tweets."""

import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.artifacts import ArtifactStore
from engage_pipeline.checks.finding import Finding, check


@check("tweet_parts")
def lines_add_up(store: ArtifactStore) -> Finding:
    """Good rows, rejected lines, blank lines and rows of deleted tweets or users add up to the lines of every part."""
    manifests = [manifest for key in store.parts() if (manifest := store.manifest("tweet_parts", key))]
    wrong: dict[str | None, str] = {}
    for manifest in manifests:
        rows, rejected, blank, lines = (manifest.facts[name] for name in ("rows", "rejected", "blank", "lines"))
        forgotten = manifest.facts.get("forgotten", 0)
        if rows + rejected + blank + forgotten != lines:
            wrong[manifest.key] = (
                f"{rows:,} rows + {rejected:,} rejected + {blank:,} blank + {forgotten:,} forgotten are not "
                f"{lines:,} lines"
            )
    return Finding(wrong, f"they do in {len(manifests)} parts", {"parts": len(manifests)})


@check("validation_tweets")
def holdout_has_its_share(store: ArtifactStore) -> Finding:
    """The held-out share of the validation rows is the setting's, within five standard deviations."""
    split = pq.read_table(store.open("validation_tweets").path("tweets.parquet"), columns=[schema.SPLIT])
    rows, share = len(split), store.settings.validation_percentage
    held_out = int((split[schema.SPLIT].to_numpy() == schema.HOLDOUT).sum())
    text = f"{held_out:,} of {rows:,} rows are held out"
    passed = abs(held_out - rows * share) <= 5 * (rows * share * (1 - share)) ** 0.5
    return Finding({} if passed else {None: text}, text, {"held_out": held_out, "rows": rows})


CHECKS = [lines_add_up, holdout_has_its_share]
