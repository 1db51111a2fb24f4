"""Warnings of the ingest stage. They read only manifests and small files, so that many parts take little time."""

from collections import Counter
from collections.abc import Mapping

from engage_pipeline import schema
from engage_pipeline.ingest.facts import IngestedFacts, PartFacts, facts_by_part
from engage_pipeline.ingest.part_comparison import rate_shifts
from engage_pipeline.ingest.row_summary import IDS
from engage_pipeline.ingest.side_files import SAMPLE, shared_rows
from engage_pipeline.orchestration.checks.finding import Finding, Look, as_table, check, limits_in_words, problem
from engage_pipeline.orchestration.checks.versions import small_file, versions
from engage_pipeline.plurals import counted
from engage_pipeline.store.store import ArtifactStore

_LABELLED = ("tweet_parts", "validation_tweets")
_READ = (*_LABELLED, "test_tweets")
_MOST_WITHOUT_ID = 0.5
"""A row without an id counts for nobody; where most are, a join or an export went wrong."""


def _no_rows_are_lost(asset: str) -> Look:
    def no_rows_are_lost(store: ArtifactStore) -> Finding:
        """No part has fewer rows than the version before it had, apart from those of deleted tweets or users."""
        changes = {one.key: IngestedFacts.read(one).rows_change for one in versions(store, asset)}
        before = {one.key: IngestedFacts.read(one).rows_before for one in versions(store, asset)}
        wrong: dict[str | None, str] = {
            key: f"{counted(-change, 'row')} fewer than the {before[key]:,} of the version before"
            for key, change in changes.items()
            if change < 0
        }
        total = sum(changes.values())
        return Finding(
            wrong, f"{total:+,} rows since the versions before; no part may have fewer", {"change of rows": total}
        )

    return no_rows_are_lost


def _ids_are_there(asset: str) -> Look:
    def ids_are_there(store: ArtifactStore) -> Finding:
        """No part lacks the tweet's, the viewer's or the author's id in more than half of its rows."""
        wrong: dict[str | None, str] = {}
        lacking: Counter[str] = Counter()
        for manifest in versions(store, asset):
            said = []
            for part, facts in facts_by_part(manifest).items():
                lacking.update(facts.missing_ids)
                said += [
                    f"{part}{': ' if part else ''}{name} is missing in {count:,} of {facts.rows:,} rows"
                    for name, count in facts.missing_ids.items()
                    if count > facts.rows * _MOST_WITHOUT_ID
                ]
            if said:
                wrong[manifest.key] = "; ".join(said)
        counts = ", ".join(f"{counted(lacking[name], 'row')} without {name}" for name in IDS)
        return Finding(wrong, f"{counts}; no part may lack one in more than half of its rows", dict(lacking))

    return ids_are_there


@check("tweet_parts")
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
    both = sum(found for found, _, _ in shared.values())
    said = f"{both:,} sampled rows of {counted(len(samples), 'part')} are in a part before too"
    said += limits_in_words(store.settings, "checks.max_duplicate_share")
    return Finding(wrong, said, {"parts": len(samples), "sampled rows shared": both})


@check("tweet_parts")
def label_rates_are_stable(store: ArtifactStore) -> Finding:
    """No part's rate of an engagement differs from the other parts' by a larger share than checks.label_rate_change,
    and by more than five standard errors."""
    manifests = list(versions(store, "tweet_parts"))
    positives = {str(one.key): PartFacts.read(one).positives for one in manifests}
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
    said = f"{_spread(rows, positives)} in {counted(len(rows), 'part')}"
    said += limits_in_words(store.settings, "checks.label_rate_change")
    return Finding(wrong, said, {"parts": len(rows)}, {"label rates": table})


def _spread(rows: Mapping[str, int], positives: Mapping[str, Mapping[str, int]]) -> str:
    """Returns such as `like 43.10% to 44.00%, …`: the lowest and the highest rate of a part with rows."""
    rates = {
        name: [positives[part][name] / count for part, count in rows.items() if count] for name in schema.ENGAGEMENTS
    }
    return ", ".join(f"{name} {min(found):.2%} to {max(found):.2%}" for name, found in rates.items() if found)


def _label_rates_are_plausible(asset: str) -> Look:
    def label_rates_are_plausible(store: ArtifactStore) -> Finding:
        """The share of the rows with an engagement lies within the bounds of checks.label_rates; one that may be
        missing (checks.allow_missing_engagements) may also have no row."""
        limits, allowed = store.settings.checks.label_rates, store.settings.checks.allow_missing_engagements
        manifests = list(versions(store, asset))
        rows = sum(one.rows or 0 for one in manifests)
        positives = [PartFacts.read(one).positives for one in manifests]
        rates = {name: sum(one[name] for one in positives) / max(1, rows) for name in schema.ENGAGEMENTS}
        wrong = [
            f"{name} {rates[name]:.2%} of {rows:,} rows (checks.label_rates: {low:.2%} to {high:.2%})"
            for name, (low, high) in limits.items()
            if rows and not (low <= rates[name] <= high or (name in allowed and rates[name] == 0))
        ]
        said = ", ".join(f"{name} {rates[name]:.2%} of {low:.2%} to {high:.2%}" for name, (low, high) in limits.items())
        return Finding(problem("; ".join(wrong)), f"{said} (checks.label_rates)", rates)

    return label_rates_are_plausible


CHECKS = [
    *(check(asset)(_no_rows_are_lost(asset)) for asset in _READ),
    *(check(asset)(_ids_are_there(asset)) for asset in _READ),
    *(check(asset)(_label_rates_are_plausible(asset)) for asset in _LABELLED),
    parts_share_few_rows,
    label_rates_are_stable,
]
