"""Checks of the ingest stage: typed tweets. They read manifests and small files only, whatever the number of parts."""

from collections.abc import Callable
from datetime import datetime
from itertools import islice

import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.artifacts import ArtifactStore, Manifest
from engage_pipeline.checks.finding import Finding, Look, as_table, check
from engage_pipeline.checks.versions import small_file, versions
from engage_pipeline.ingest.comparing import rate_shifts, same_content
from engage_pipeline.ingest.side_files import DAYS, SAMPLE, rows_outside, shared_rows

Counted = tuple[int, int, str]
"""How many, of how many, and what more there is to say."""
_DAYS_NAMED = 3
_LABELLED = ("tweet_parts", "validation_tweets")
_READ = (*_LABELLED, "test_tweets")


@check("tweet_parts")
def lines_add_up(store: ArtifactStore) -> Finding:
    """Good rows, rejected lines, blank lines and lines of deleted tweets or users add up to the lines of every part."""
    wrong: dict[str | None, str] = {}
    manifests = list(versions(store, "tweet_parts"))
    for manifest in manifests:
        rows, rejected, blank, lines = (manifest.facts[name] for name in ("rows", "rejected", "blank", "lines"))
        forgotten = manifest.facts.get("forgotten", 0)
        if rows + rejected + blank + forgotten != lines:
            counts = f"{rows:,} rows + {rejected:,} rejected + {blank:,} blank + {forgotten:,} forgotten"
            wrong[manifest.key] = f"{counts} are not {lines:,} lines"
    return Finding(wrong, f"they do in {len(manifests)} parts", {"parts": len(manifests)})


def _few_lines_are_rejected(asset: str) -> Look:
    def few_lines_are_rejected(store: ArtifactStore) -> Finding:
        """No larger share of the lines is rejected than ingest.max_rejected_share, in any part."""
        limit = "ingest.max_rejected_share", store.settings.ingest.max_rejected_share
        return _limited(
            store, asset, limit, "lines are rejected", lambda one: (one.facts["rejected"], one.facts["lines"], "")
        )

    return few_lines_are_rejected


def _few_rows_come_twice(asset: str) -> Look:
    def few_rows_come_twice(store: ArtifactStore) -> Finding:
        """No larger share of the rows than checks.max_duplicate_share has tweet and viewer of an earlier row of its
        part."""
        limit = "checks.max_duplicate_share", store.settings.checks.max_duplicate_share
        return _limited(
            store, asset, limit, "rows come twice", lambda one: (one.facts["duplicates"], one.facts["rows"], "")
        )

    return few_rows_come_twice


def _days_are_in_the_window(asset: str) -> Look:
    def days_are_in_the_window(store: ArtifactStore) -> Finding:
        """No larger share of the rows than checks.max_outside_share lies outside checks.first_day to checks.last_day,
        or has no time at all."""
        limits = store.settings.checks

        def count(manifest: Manifest) -> Counted:
            last = limits.last_day or datetime.fromisoformat(manifest.created).date()
            outside = rows_outside(small_file(store, manifest, DAYS), limits.first_day, last)
            named = ", ".join(f"{day} ({rows:,})" for day, rows in islice(outside.items(), _DAYS_NAMED))
            more = f" and {len(outside) - _DAYS_NAMED} days more" if len(outside) > _DAYS_NAMED else ""
            return sum(outside.values()), manifest.rows or 0, f" {limits.first_day} to {last}: {named}{more}"

        return _limited(store, asset, ("checks.max_outside_share", limits.max_outside_share), "rows lie outside", count)

    return days_are_in_the_window


def _limited(
    store: ArtifactStore, asset: str, limit: tuple[str, float], what: str, count: Callable[[Manifest], Counted]
) -> Finding:
    """Each part's share of `what` held to the setting `limit`."""
    setting, share = limit
    wrong: dict[str | None, str] = {}
    rows = []
    for manifest in versions(store, asset):
        found, whole, more = count(manifest)
        rows.append((manifest.key or asset, whole, found))
        if found > share * whole:
            wrong[manifest.key] = f"{found:,} of {whole:,} {what}{more if found else ''} ({setting} = {share:g})"
    total, whole = sum(row[2] for row in rows), sum(row[1] for row in rows)
    table = as_table(("part", "of", what), [(part, f"{size:,}", f"{found:,}") for part, size, found in rows])
    return Finding(wrong, f"{total:,} of {whole:,} {what}", {what: total, "of": whole}, {"parts": table})


@check("tweet_parts")
def no_part_comes_twice(store: ArtifactStore) -> Finding:
    """No two parts have the same content, before or after it was read."""
    manifests = [manifest for manifest in versions(store, "tweet_parts") if manifest.rows]
    marks = {
        str(manifest.key): {manifest.files["tweets.parquet"].sha256, *(source.sha256 for source in manifest.sources)}
        for manifest in manifests
    }
    wrong: dict[str | None, str] = {
        part: f"the same content as {earlier}: remove one of the two" for part, earlier in same_content(marks).items()
    }
    return Finding(wrong, f"{len(marks)} parts differ", {"parts": len(marks)})


def _no_rows_are_lost(asset: str) -> Look:
    def no_rows_are_lost(store: ArtifactStore) -> Finding:
        """No part has fewer rows than the version before it had, apart from those of deleted tweets or users."""
        changes = {one.key: one.facts.get("rows_change", 0) for one in versions(store, asset)}
        before = {one.key: one.facts.get("rows_before", 0) for one in versions(store, asset)}
        wrong: dict[str | None, str] = {
            key: f"{-change:,} rows fewer than the {before[key]:,} of the version before"
            for key, change in changes.items()
            if change < 0
        }
        total = sum(changes.values())
        return Finding(wrong, f"{total:+,} rows since the versions before", {"change of rows": total})

    return no_rows_are_lost


@check("tweet_parts", blocking=False)
def parts_share_few_rows(store: ArtifactStore) -> Finding:
    """No larger share of a part's rows than checks.max_duplicate_share is in a part before it too, by a sample."""
    samples = {str(one.key): small_file(store, one, SAMPLE) for one in versions(store, "tweet_parts")}
    shared = shared_rows(samples)
    limit = store.settings.checks.max_duplicate_share
    wrong: dict[str | None, str] = {
        part: f"{found:,} of {whole:,} sampled rows are in {earlier} or another part before it too"
        for part, (found, whole, earlier) in shared.items()
        if found > limit * whole
    }
    figures = {"parts": len(samples), "sampled rows shared": sum(found for found, _, _ in shared.values())}
    return Finding(wrong, f"{len(samples)} parts do", figures)


@check("tweet_parts", blocking=False)
def label_rates_are_stable(store: ArtifactStore) -> Finding:
    """No part's rate of an engagement differs from the other parts' by a larger share than checks.label_rate_change,
    and by more than five standard errors."""
    manifests = list(versions(store, "tweet_parts"))
    positives = {str(one.key): one.facts["positives"] for one in manifests}
    rows = {str(one.key): one.rows or 0 for one in manifests}
    shifts = rate_shifts(rows, positives, store.settings.checks.label_rate_change)
    wrong: dict[str | None, str] = {
        part: ", ".join(f"{name} {rate.part:.2%}, other parts {rate.rest:.2%}" for name, rate in rates.items())
        for part, rates in shifts.items()
    }
    cells = [
        (part, f"{count:,}", *(f"{positives[part][name] / max(1, count):.2%}" for name in schema.ENGAGEMENTS))
        for part, count in rows.items()
    ]
    table = as_table(("part", "rows", *schema.ENGAGEMENTS), cells)
    return Finding(wrong, f"they are in {len(rows)} parts", {"parts": len(rows)}, {"label rates": table})


@check("validation_tweets")
def holdout_has_its_share(store: ArtifactStore) -> Finding:
    """The held-out share of the validation rows is the setting's, within five standard deviations."""
    split = pq.read_table(store.open("validation_tweets").path("tweets.parquet"), columns=[schema.SPLIT])
    rows, share = len(split), store.settings.validation_percentage
    held_out = int((split[schema.SPLIT].to_numpy() == schema.HOLDOUT).sum())
    text = f"{held_out:,} of {rows:,} rows are held out"
    passed = abs(held_out - rows * share) <= 5 * (rows * share * (1 - share)) ** 0.5
    return Finding({} if passed else {None: text}, text, {"held_out": held_out, "rows": rows})


CHECKS = [
    lines_add_up,
    *(check(asset)(_few_lines_are_rejected(asset)) for asset in _LABELLED),
    *(check(asset)(_few_rows_come_twice(asset)) for asset in _LABELLED),
    *(check(asset)(_days_are_in_the_window(asset)) for asset in _LABELLED),
    *(check(asset, blocking=False)(_no_rows_are_lost(asset)) for asset in _READ),
    no_part_comes_twice,
    parts_share_few_rows,
    label_rates_are_stable,
    holdout_has_its_share,
]
