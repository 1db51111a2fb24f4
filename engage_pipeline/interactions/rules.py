"""Rules of counters and of the rows that a model reads: what must hold before they are used."""

import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.ingest.facts import PartFacts
from engage_pipeline.ingest.part_comparison import same_content
from engage_pipeline.ingest.rules import columns_are_as_declared, content_marks
from engage_pipeline.ingest.side_files import DAYS
from engage_pipeline.interactions.facts import CountFacts
from engage_pipeline.store.manifests import Manifest, label, split_label
from engage_pipeline.store.rules import Outcome, Rule, Rules, rule
from engage_pipeline.store.versions import Reader, Version

_OCCURRENCES = ", ".join(f"{{{name}:,}} {name}" for name in schema.ENGAGEMENTS)


@rule("{rows:,} rows are counted; every row that was read must be")
def counts_cover_every_row(store: Reader, version: Version) -> Outcome:
    """The rows and the positives that were counted are those that the parts were read with."""
    counted = _counted(version)
    parts = _inputs(store, version)
    if not parts:  # the parts were made again since: the counts are stale and can't be compared
        return Outcome("", counted)
    facts = [PartFacts.read(part) for part in parts]
    read = {"rows": sum(part.rows for part in facts)}
    read |= {name: sum(part.positives[name] for part in facts) for name in schema.ENGAGEMENTS}
    return Outcome(_differences(counted, read), counted)


@rule("0 of {parts:,} parts have the content of another; none may")
def no_part_is_counted_twice(store: Reader, version: Version) -> Outcome:
    """No two of the parts that were counted have the same content."""
    parts = _inputs(store, version) or []
    twins = same_content({str(part.key): content_marks(part) for part in parts if part.rows})
    problem = "; ".join(f"{part} has the same content as {first}: remove one" for part, first in twins.items())
    return Outcome(problem, {"parts": len(parts)})


@rule(f"{_OCCURRENCES} in {{rows:,}} rows; each must occur", limits=("checks.allow_missing_engagements",))
def every_engagement_occurs(store: Reader, version: Version) -> Outcome:
    """Every engagement has a positive among the training rows, unless checks.allow_missing_engagements names it."""
    counted, allowed = _counted(version), store.settings.checks.allow_missing_engagements
    missing = [name for name in schema.ENGAGEMENTS if not counted[name] and name not in allowed]
    problem = ""
    if missing:
        problem = (
            f"none of the {counted['rows']:,} training rows has {' or '.join(missing)}: the labels are missing, "
            f"or name what may be missing in checks.allow_missing_engagements"
        )
    return Outcome(problem, counted)


@rule("{rows:,} rows are counted; every row that was read must be")
def counts_cover_every_validation_row(store: Reader, version: Version) -> Outcome:
    """The rows and the positives that were counted are those that the validation part was read with."""
    counted = CountFacts.read(version.manifest).counted()
    inputs = _inputs(store, version)
    if not inputs:
        return Outcome("", counted)
    read = PartFacts.read(inputs[0])
    return Outcome(_differences(counted, {"rows": read.rows, **read.positives}), counted)


def _differences(counted: dict[str, int], read: dict[str, int]) -> str:
    return "; ".join(
        f"{name}: {counted[name]:,} counted, {count:,} read" for name, count in read.items() if counted[name] != count
    )


def _counted(version: Version) -> dict[str, int]:
    days = pq.read_table(version.path(DAYS))
    return {name: int(days[name].to_numpy().sum()) for name in ("rows", *schema.ENGAGEMENTS)}


def _inputs(store: Reader, version: Version) -> list[Manifest] | None:
    """Returns the manifests of the version's inputs; None if an input was made again or is gone."""
    found = []
    for text, made_of in version.manifest.inputs.items():
        manifest = store.manifest(*split_label(text))
        if manifest is None or manifest.version != made_of:
            return None
        found.append(manifest)
    return found


def _every_row_has_features(tweets: str) -> Rule:
    @rule("{rows:,} rows of features; every row of tweets must have one")
    def every_row_has_features(store: Reader, version: Version) -> Outcome:
        """There is one row of features for every row of tweets."""
        manifest = version.manifest
        read = store.manifest(tweets, manifest.key)
        made, wanted = manifest.rows or 0, read.rows or 0 if read else 0
        compared = read is not None and manifest.inputs.get(label(tweets, manifest.key)) == read.version
        problem = f"{made:,} rows of features for {wanted:,} tweets" if compared and made != wanted else ""
        return Outcome(problem, {"rows": made})

    return every_row_has_features


def _of_features(tweets: str, *, labelled: bool, validation: bool = False) -> Rules:
    def declared(manifest: Manifest) -> pa.Schema:
        """Returns the columns, with those of the families that the version was made with."""
        families = manifest.settings.get("features.counters", ())
        return schema.feature_schema(labelled=labelled, validation=validation, families=families)

    return columns_are_as_declared(declared), _every_row_has_features(tweets)


RULES: dict[str, Rules] = {
    "interaction_counts": (counts_cover_every_row, no_part_is_counted_twice, every_engagement_occurs),
    "validation_counts": (counts_cover_every_validation_row,),
    "interaction_features": _of_features("tweet_parts", labelled=True),
    "validation_features": _of_features("validation_tweets", labelled=True, validation=True),
    "test_features": _of_features("test_tweets", labelled=False),
}
"""Rules by artifact."""
