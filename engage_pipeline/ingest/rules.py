"""Rules of the typed tweets of a part: what must hold before counts, encoder or model read them.

The rules read only manifests, footers, single columns and small files, whatever the size of a part.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.files.parquet import schema_difference
from engage_pipeline.files.raw_parts import PARQUET, SIDE_ENDINGS
from engage_pipeline.ingest.facts import PartFacts, facts_by_part
from engage_pipeline.ingest.part_comparison import same_content
from engage_pipeline.ingest.side_files import DAYS, SAMPLE, rows_in_milliseconds, rows_outside, shared_rows
from engage_pipeline.store.file_names import FEATURES, TWEETS
from engage_pipeline.store.manifests import Manifest, label
from engage_pipeline.store.rules import Outcome, Rule, Rules, rule
from engage_pipeline.store.versions import Reader, Version

_DAYS_NAMED = 3
_NO_ROWS = tuple(f"{ending}{PARQUET}" for ending in SIDE_ENDINGS)
_WINDOWS = ("validation_tweets", "test_tweets")


def columns_are_as_declared(declared: Callable[[Manifest], pa.Schema]) -> Rule:
    """Returns the rule that every file of rows has the columns that `declared` returns for its version."""

    @rule("0 of {files:,} files differ; none may")
    def columns_are_as_declared(store: Reader, version: Version) -> Outcome:
        """The columns of every file of rows have the declared names, order and types."""
        names = tables(version.manifest)
        wanted = declared(version.manifest)
        differences = [schema_difference(version.unread(name), wanted) for name in names]
        problem = next((difference for difference in differences if difference), "")
        return Outcome(problem, {"files": len(names)})

    return columns_are_as_declared


def tables(manifest: Manifest) -> list[str]:
    """Returns the files that hold the rows: for test rows one per part."""
    if manifest.artifact.startswith("test_"):
        return [name for name in sorted(manifest.files) if not name.endswith(_NO_ROWS)]
    return [FEATURES if manifest.artifact.endswith("_features") else TWEETS]


@rule("0 of {lines:,} lines are unaccounted for; none may be")
def lines_add_up(store: Reader, version: Version) -> Outcome:
    """Good rows, rejected lines, blank lines and lines of deleted tweets or users add up to the lines of the part."""
    facts = PartFacts.read(version.manifest)
    problem = ""
    if facts.rows + facts.rejected + facts.blank + facts.forgotten != facts.lines:
        kinds = ("rows", "rejected", "blank", "forgotten")
        counts = " + ".join(f"{getattr(facts, kind):,} {kind}" for kind in kinds)
        problem = f"{counts} are not {facts.lines:,} lines"
    return Outcome(problem, {"lines": facts.lines})


@rule("{lines are rejected:,} of {of:,} lines are rejected", limits=("ingest.max_rejected_share",))
def few_lines_are_rejected(store: Reader, version: Version) -> Outcome:
    """No larger share of the lines of a part is rejected than ingest.max_rejected_share."""
    parts, share = facts_by_part(version.manifest), store.settings.ingest.max_rejected_share
    found = {
        part: _limited("lines are rejected", one.rejected, one.lines, "ingest.max_rejected_share", share)
        for part, one in parts.items()
    }
    problem = next((f"{part + ': ' if part else ''}{one.problem}" for part, one in found.items() if one.problem), "")
    sums = {"lines are rejected": sum(one.rejected for one in parts.values())}
    return Outcome(problem, {**sums, "of": sum(one.lines for one in parts.values())})


@rule("{rows come twice:,} of {of:,} rows come twice", limits=("checks.max_duplicate_share",))
def few_rows_come_twice(store: Reader, version: Version) -> Outcome:
    """No larger share of the rows than checks.max_duplicate_share has tweet and viewer of an earlier row of the
    part."""
    facts, share = PartFacts.read(version.manifest), store.settings.checks.max_duplicate_share
    if facts.duplicates is None:
        raise KeyError("duplicates")
    return _limited("rows come twice", facts.duplicates, facts.rows, "checks.max_duplicate_share", share)


@rule(
    "{rows lie outside:,} of {of:,} rows lie outside",
    limits=("checks.max_outside_share", "checks.first_day", "checks.last_day"),
)
def days_are_in_the_window(store: Reader, version: Version) -> Outcome:
    """No larger share of the rows than checks.max_outside_share lies outside checks.first_day to checks.last_day, or
    has no time at all."""
    limits = store.settings.checks
    last = limits.last_day or datetime.fromisoformat(version.manifest.created).date()
    outside = rows_outside(version.path(DAYS), limits.first_day, last)
    named = ", ".join(f"{day} ({rows:,})" for day, rows in islice(outside.items(), _DAYS_NAMED))
    more = f" and {len(outside) - _DAYS_NAMED} days more" if len(outside) > _DAYS_NAMED else ""
    found = sum(outside.values())
    if 2 * rows_in_milliseconds(version.path(DAYS), limits.first_day, last) > found:
        more += "; times look like milliseconds, where seconds are read"
    return _limited(
        "rows lie outside",
        found,
        version.manifest.rows or 0,
        "checks.max_outside_share",
        limits.max_outside_share,
        f" {limits.first_day} to {last}: {named}{more}",
    )


def _limited(what: str, found: int, whole: int, setting: str, share: float, more: str = "") -> Outcome:
    """Compares the share of `what` with `share`, the value of `setting`."""
    problem = f"{found:,} of {whole:,} {what}{more} ({setting} = {share:g})" if found > share * whole else ""
    return Outcome(problem, {what: found, "of": whole})


@rule("0 of {parts:,} parts have the content of another; none may")
def no_part_comes_twice(store: Reader, version: Version) -> Outcome:
    """No part has the content of another one that is used, before or after it was read."""
    manifest = version.manifest
    marks = {str(other.key): content_marks(other) for other in _parts_before(store, manifest)}
    earlier = same_content({**marks, str(manifest.key): content_marks(manifest)}).get(str(manifest.key))
    problem = f"the same content as {earlier}: remove one of the two" if earlier and manifest.rows else ""
    return Outcome(problem, {"parts": 1})


def content_marks(manifest: Manifest) -> set[str]:
    """Returns the SHA-256 of the rows of a part and of its raw file: parts that share one have the same content."""
    return {manifest.files[TWEETS].sha256, *(source.sha256 for source in manifest.sources)}


def _parts_before(store: Reader, manifest: Manifest) -> Iterator[Manifest]:
    """Yields the other parts that passed the rule; of those that were never judged, the ones with an earlier name.

    Skips damaged manifests: the part is compared with the others when it is made again.
    """
    for key in store.readable_parts():
        other = _readable_manifest(store, "tweet_parts", key)
        if other is None or other.key == manifest.key or not other.rows or TWEETS not in other.files:
            continue
        noted = other.verdict and other.verdict.problems.get("no_part_comes_twice")
        if noted == "" or (noted is None and str(other.key) < str(manifest.key)):
            yield other


@rule(
    "{sampled rows shared:,} of {sampled rows:,} sampled rows are shared",
    limits=("checks.max_shared_share",),
    compared_with=_WINDOWS,
)
def no_row_is_in_another_window(store: Reader, version: Version) -> Outcome:
    """No larger share of the rows than checks.max_shared_share is in a part of another window, by a sample: a model
    must not be judged by rows that it has learned from."""
    own, limit = version.manifest, store.settings.checks.max_shared_share
    others = {label(other.manifest.artifact, other.manifest.key): other for other in _other_windows(store, own)}
    samples = {f"{name} {file}": one.path(file) for name, one in others.items() for file in _samples(one.manifest)}
    problem, shared, sampled = "", 0, 0
    for file in _samples(own):
        found, whole, where = shared_rows({**samples, "": version.path(file)}).get("", (0, 0, ""))
        shared, sampled = shared + found, sampled + whole
        if found > limit * whole:
            part = file.removesuffix(SAMPLE).removesuffix(".")
            problem = problem or (
                f"{part + ': ' if part else ''}{found:,} of {whole:,} sampled rows are in {where.split()[0]} too "
                f"(checks.max_shared_share = {limit:g}): remove one of the two, or raise the limit if viewers see "
                "tweets again"
            )
    return Outcome(problem, {"sampled rows shared": shared, "sampled rows": sampled})


def _other_windows(store: Reader, own: Manifest) -> Iterator[Version]:
    """Yields the published versions of the other two windows; skips damaged manifests, which their artifact reports."""
    names: list[tuple[str, str | None]] = [(name, None) for name in _WINDOWS if name != own.artifact]
    if own.artifact != "tweet_parts":
        names += [("tweet_parts", key) for key in store.readable_parts()]
    for name, key in names:
        manifest = _readable_manifest(store, name, key)
        if manifest is not None:
            yield store.version(manifest)


def _readable_manifest(store: Reader, name: str, key: str | None) -> Manifest | None:
    try:
        return store.manifest(name, key)
    except UserError:
        return None


def _samples(manifest: Manifest) -> list[str]:
    """Returns the files with sampled rows: for test rows one per part."""
    return [name for name in sorted(manifest.files) if name == SAMPLE or name.endswith(f".{SAMPLE}")]


@rule("{held out:,} of {rows:,} rows are held out, within five standard deviations", limits=("validation_percentage",))
def holdout_has_its_share(store: Reader, version: Version) -> Outcome:
    """The held-out share of the validation rows is the setting's, within five standard deviations, and there are rows
    to fine-tune on and rows that are held out."""
    held_out, rows = _held_out(version.path(TWEETS))
    share = store.settings.validation_percentage
    figures = {"held out": held_out, "rows": rows}
    if not 0 < held_out < rows:
        what = "to fine-tune on" if held_out else "held out"
        return Outcome(f"none of the {rows:,} rows is {what} (validation_percentage = {share:g})", figures)
    passed = abs(held_out - rows * share) <= 5 * (rows * share * (1 - share)) ** 0.5
    return Outcome("" if passed else f"{held_out:,} of {rows:,} rows are held out", figures)


def _held_out(tweets: Path) -> tuple[int, int]:
    split = pq.read_table(tweets, columns=[schema.SPLIT])[schema.SPLIT].to_numpy()
    return int((split == schema.HOLDOUT).sum()), len(split)


_OF_LABELLED = (few_lines_are_rejected, few_rows_come_twice, days_are_in_the_window, no_row_is_in_another_window)
RULES: dict[str, Rules] = {
    "tweet_parts": (
        columns_are_as_declared(lambda _: schema.tweet_schema(labelled=True)),
        lines_add_up,
        *_OF_LABELLED,
        no_part_comes_twice,
    ),
    "validation_tweets": (
        columns_are_as_declared(lambda _: schema.tweet_schema(labelled=True, validation=True)),
        *_OF_LABELLED,
        holdout_has_its_share,
    ),
    "test_tweets": (
        columns_are_as_declared(lambda _: schema.tweet_schema(labelled=False)),
        few_lines_are_rejected,
        no_row_is_in_another_window,
    ),
}
"""Rules by artifact."""
