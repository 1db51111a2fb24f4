"""Asset checks. A blocking one stops what is downstream in the same run; each compares two independent countings.

What must hold for an artifact to be published at all (schema, the balance of lines, finite numbers) is asserted where
it is made, because a check comes after publication.
"""

import json
from collections.abc import Callable

import dagster as dg
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.artifacts import ArtifactStore
from engage_pipeline.assets.making import user_errors
from engage_pipeline.resources import Pipeline

Finding = tuple[bool, str, dict[str, int | float]]
"""Whether the check passed, one line for people, and figures."""


def _check(
    asset: str, *, blocking: bool = True
) -> Callable[[Callable[[ArtifactStore], Finding]], dg.AssetChecksDefinition]:
    """Declares a check of `asset` named like the decorated function, whose docstring becomes its description."""

    def declare(function: Callable[[ArtifactStore], Finding]) -> dg.AssetChecksDefinition:
        @dg.asset_check(asset=asset, name=function.__name__, blocking=blocking, description=function.__doc__)
        def check(pipeline: Pipeline) -> dg.AssetCheckResult:
            with user_errors():
                passed, description, figures = function(pipeline.store())
            severity = dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN
            return dg.AssetCheckResult(passed=passed, description=description, severity=severity, metadata={**figures})

        return check

    return declare


def _rows(store: ArtifactStore, name: str, key: str | None = None) -> int:
    return store.open(name, key).manifest.rows or 0


@_check("tweet_parts")
def lines_add_up(store: ArtifactStore) -> Finding:
    """Good rows, rejected lines and blank lines add up to the lines of every part."""
    wrong = []
    for key in store.parts():
        facts = store.open("tweet_parts", key).manifest.facts
        if facts["rows"] + facts["rejected"] + facts["blank"] != facts["lines"]:
            wrong.append(key)
    return not wrong, f"they don't in {', '.join(wrong)}" if wrong else "they do in every part", {"parts": len(wrong)}


@_check("validation_tweets")
def holdout_has_its_share(store: ArtifactStore) -> Finding:
    """The held-out share of the validation rows is the setting's, within five standard deviations."""
    split = pq.read_table(store.open("validation_tweets").path("tweets.parquet"), columns=[schema.SPLIT])
    rows, share = len(split), store.settings.validation_percentage
    held_out = int((split[schema.SPLIT].to_numpy() == schema.HOLDOUT).sum())
    passed = abs(held_out - rows * share) <= 5 * (rows * share * (1 - share)) ** 0.5
    return passed, f"{held_out:,} of {rows:,} rows are held out", {"held_out": held_out, "rows": rows}


@_check("interaction_counts")
def counts_cover_every_row(store: ArtifactStore) -> Finding:
    """The rows and the positives that were counted are those that the parts were read with."""
    parts = [store.open("tweet_parts", key).manifest.facts for key in store.parts_of("interaction_counts")]
    days = pq.read_table(store.open("interaction_counts").path("days.parquet"))
    counted = {name: int(days[name].to_numpy().sum()) for name in ("rows", *schema.ENGAGEMENTS)}
    read = {"rows": sum(part["rows"] for part in parts)}
    read |= {name: sum(part["positives"][name] for part in parts) for name in schema.ENGAGEMENTS}
    wrong = [f"{name}: {counted[name]:,} counted, {read[name]:,} read" for name in read if counted[name] != read[name]]
    return not wrong, "; ".join(wrong) or f"{counted['rows']:,} rows", dict(counted)


def _same_rows(features: str, tweets: str) -> Callable[[ArtifactStore], Finding]:
    def every_row_has_features(store: ArtifactStore) -> Finding:
        """There is one row of features for every row of tweets."""
        made, wanted = _rows(store, features), _rows(store, tweets)
        return made == wanted, f"{made:,} rows of features for {wanted:,} tweets", {"rows": made}

    return every_row_has_features


@_check("interaction_features")
def every_row_has_features(store: ArtifactStore) -> Finding:
    """There is one row of features for every row of tweets, in every part."""
    keys = [key for key in store.parts() if store.manifest("interaction_features", key)]
    wrong = [key for key in keys if _rows(store, "interaction_features", key) != _rows(store, "tweet_parts", key)]
    return not wrong, f"not in {', '.join(wrong)}" if wrong else f"in {len(keys)} parts", {"parts": len(keys)}


@_check("evaluation", blocking=False)
def beats_the_constant_rate(store: ArtifactStore) -> Finding:
    """The model's relative cross entropy on the holdout is positive for every engagement that can be scored."""
    scores = json.loads(store.open("evaluation").path("scores.json").read_text(encoding="utf-8"))
    rce = {
        name: score["overall"]["rce"] for name, score in scores["models"][scores["main_model"]]["engagements"].items()
    }
    weak = [f"{name}: RCE {value:.2f}" for name, value in rce.items() if value is not None and value <= 0]
    return not weak, "; ".join(weak) or "it does", {name: value for name, value in rce.items() if value is not None}


@_check("submission")
def one_line_for_every_test_row(store: ArtifactStore) -> Finding:
    """results.csv has one line for every test row."""
    lines, rows = _rows(store, "submission"), _rows(store, "test_tweets")
    return lines == rows, f"{lines:,} lines for {rows:,} rows", {"lines": lines}


CHECKS = [
    lines_add_up,
    holdout_has_its_share,
    counts_cover_every_row,
    every_row_has_features,
    _check("validation_features")(_same_rows("validation_features", "validation_tweets")),
    _check("test_features")(_same_rows("test_features", "test_tweets")),
    beats_the_constant_rate,
    one_line_for_every_test_row,
]
