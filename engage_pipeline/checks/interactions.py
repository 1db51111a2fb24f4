"""Checks of the interactions stage: counters and the rows that a model reads."""

import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.artifacts import ArtifactStore
from engage_pipeline.checks.finding import Finding, Look, check, problem
from engage_pipeline.manifests import label


@check("interaction_counts")
def counts_cover_every_row(store: ArtifactStore) -> Finding:
    """The rows and the positives that were counted are those that the parts were read with."""
    parts = [store.open("tweet_parts", key).manifest.facts for key in store.parts_of("interaction_counts")]
    days = pq.read_table(store.open("interaction_counts").path("days.parquet"))
    counted = {name: int(days[name].to_numpy().sum()) for name in ("rows", *schema.ENGAGEMENTS)}
    read = {"rows": sum(part["rows"] for part in parts)}
    read |= {name: sum(part["positives"][name] for part in parts) for name in schema.ENGAGEMENTS}
    wrong = [f"{name}: {counted[name]:,} counted, {read[name]:,} read" for name in read if counted[name] != read[name]]
    return Finding(problem("; ".join(wrong)), f"{counted['rows']:,} rows", {**counted})


@check("validation_counts")
def counts_cover_every_validation_row(store: ArtifactStore) -> Finding:
    """The rows and the positives that were counted are those that the validation part was read with."""
    tweets, counts = store.open("validation_tweets").manifest, store.open("validation_counts").manifest
    read = {"rows": tweets.facts["rows"], **tweets.facts["positives"]}
    counted = {name: counts.facts[name] for name in read}
    wrong = [f"{name}: {counted[name]:,} counted, {read[name]:,} read" for name in read if counted[name] != read[name]]
    return Finding(problem("; ".join(wrong)), f"{counted['rows']:,} rows", {**counted})


def _same_rows(features: str, tweets: str) -> Look:
    def every_row_has_features(store: ArtifactStore) -> Finding:
        """There is one row of features for every row of tweets."""
        made, wanted = (store.open(name).manifest.rows or 0 for name in (features, tweets))
        text = f"{made:,} rows of features for {wanted:,} tweets"
        return Finding({} if made == wanted else {None: text}, text, {"rows": made})

    return every_row_has_features


@check("interaction_features")
def every_row_has_features(store: ArtifactStore) -> Finding:
    """There is one row of features for every row of tweets, in every part."""
    wrong: dict[str | None, str] = {}
    compared = 0
    for key in store.parts():
        features, tweets = store.manifest("interaction_features", key), store.manifest("tweet_parts", key)
        if features and tweets and features.inputs[label("tweet_parts", key)] == tweets.version:
            compared += 1
            if features.rows != tweets.rows:
                wrong[key] = f"{features.rows:,} rows of features for {tweets.rows:,} tweets"
    return Finding(wrong, f"in {compared} parts", {"parts": compared})


CHECKS = [
    counts_cover_every_row,
    counts_cover_every_validation_row,
    every_row_has_features,
    check("validation_features")(_same_rows("validation_features", "validation_tweets")),
    check("test_features")(_same_rows("test_features", "test_tweets")),
]
