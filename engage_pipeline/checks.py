"""Asset checks. A blocking one stops what is downstream, in the same run and in later ones.

What must hold for an artifact to be published at all (schema, the balance of lines, finite numbers) is asserted where
it is made, because a check comes after publication.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

import dagster as dg
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.artifacts import ArtifactStore
from engage_pipeline.assets.making import user_errors
from engage_pipeline.manifests import label
from engage_pipeline.resources import Pipeline


@dataclass(frozen=True)
class Finding:
    """What is wrong, by part (None for an artifact without parts); one line where nothing is; and figures."""

    problems: dict[str | None, str]
    summary: str
    figures: dict[str, int | float]


def _check(
    asset: str, *, blocking: bool = True
) -> Callable[[Callable[[ArtifactStore], Finding]], dg.AssetChecksDefinition]:
    """Declares a check of `asset` named like the decorated function, whose docstring becomes its description.

    What fails a blocking check is distrusted: no later run opens it, and the next `engage run` makes it again.
    """

    def declare(function: Callable[[ArtifactStore], Finding]) -> dg.AssetChecksDefinition:
        @dg.asset_check(asset=asset, name=function.__name__, blocking=blocking, description=function.__doc__)
        def check(pipeline: Pipeline) -> dg.AssetCheckResult:
            with user_errors():
                store = pipeline.store()
                found = function(store)
            if blocking:
                for key, problem in found.problems.items():
                    store.distrust(asset, key, problem)
            lines = [problem if key is None else f"{key}: {problem}" for key, problem in found.problems.items()]
            return dg.AssetCheckResult(
                passed=not found.problems,
                description="; ".join(lines) or found.summary,
                severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
                metadata={**found.figures},
            )

        return check

    return declare


def _problem(text: str) -> dict[str | None, str]:
    return {None: text} if text else {}


def _rows(store: ArtifactStore, name: str) -> int:
    return store.open(name).manifest.rows or 0


@_check("tweet_parts")
def lines_add_up(store: ArtifactStore) -> Finding:
    """Good rows, rejected lines and blank lines add up to the lines of every part."""
    manifests = [manifest for key in store.parts() if (manifest := store.manifest("tweet_parts", key))]
    wrong: dict[str | None, str] = {}
    for manifest in manifests:
        rows, rejected, blank, lines = (manifest.facts[name] for name in ("rows", "rejected", "blank", "lines"))
        if rows + rejected + blank != lines:
            wrong[manifest.key] = f"{rows:,} rows + {rejected:,} rejected + {blank:,} blank are not {lines:,} lines"
    return Finding(wrong, f"they do in {len(manifests)} parts", {"parts": len(manifests)})


@_check("validation_tweets")
def holdout_has_its_share(store: ArtifactStore) -> Finding:
    """The held-out share of the validation rows is the setting's, within five standard deviations."""
    split = pq.read_table(store.open("validation_tweets").path("tweets.parquet"), columns=[schema.SPLIT])
    rows, share = len(split), store.settings.validation_percentage
    held_out = int((split[schema.SPLIT].to_numpy() == schema.HOLDOUT).sum())
    text = f"{held_out:,} of {rows:,} rows are held out"
    passed = abs(held_out - rows * share) <= 5 * (rows * share * (1 - share)) ** 0.5
    return Finding({} if passed else {None: text}, text, {"held_out": held_out, "rows": rows})


@_check("interaction_counts")
def counts_cover_every_row(store: ArtifactStore) -> Finding:
    """The rows and the positives that were counted are those that the parts were read with."""
    parts = [store.open("tweet_parts", key).manifest.facts for key in store.parts_of("interaction_counts")]
    days = pq.read_table(store.open("interaction_counts").path("days.parquet"))
    counted = {name: int(days[name].to_numpy().sum()) for name in ("rows", *schema.ENGAGEMENTS)}
    read = {"rows": sum(part["rows"] for part in parts)}
    read |= {name: sum(part["positives"][name] for part in parts) for name in schema.ENGAGEMENTS}
    wrong = [f"{name}: {counted[name]:,} counted, {read[name]:,} read" for name in read if counted[name] != read[name]]
    return Finding(_problem("; ".join(wrong)), f"{counted['rows']:,} rows", {**counted})


def _same_rows(features: str, tweets: str) -> Callable[[ArtifactStore], Finding]:
    def every_row_has_features(store: ArtifactStore) -> Finding:
        """There is one row of features for every row of tweets."""
        made, wanted = _rows(store, features), _rows(store, tweets)
        text = f"{made:,} rows of features for {wanted:,} tweets"
        return Finding({} if made == wanted else {None: text}, text, {"rows": made})

    return every_row_has_features


@_check("interaction_features")
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


@_check("evaluation", blocking=False)
def beats_the_constant_rate(store: ArtifactStore) -> Finding:
    """The model's relative cross entropy on the holdout is positive for every engagement that can be scored."""
    scores = json.loads(store.open("evaluation").path("scores.json").read_text(encoding="utf-8"))
    rce = {
        name: score["overall"]["rce"] for name, score in scores["models"][scores["main_model"]]["engagements"].items()
    }
    weak = [f"{name}: RCE {value:.2f}" for name, value in rce.items() if value is not None and value <= 0]
    figures = {name: value for name, value in rce.items() if value is not None}
    return Finding(_problem("; ".join(weak)), "it does", figures)


@_check("submission")
def one_line_for_every_test_row(store: ArtifactStore) -> Finding:
    """results.csv has one line for every test row."""
    lines, rows = _rows(store, "submission"), _rows(store, "test_tweets")
    text = f"{lines:,} lines for {rows:,} rows"
    return Finding({} if lines == rows else {None: text}, text, {"lines": lines})


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
