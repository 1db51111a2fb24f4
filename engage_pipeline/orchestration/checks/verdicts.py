"""The blocking checks: each reports one rule, by which every version of an artifact is judged at its publication."""

from collections import Counter, defaultdict

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.orchestration.checks.finding import Finding, Look, as_table, check, limits_in_words
from engage_pipeline.orchestration.checks.versions import versions
from engage_pipeline.store.rules import Rule, outcome_of, stage_rules
from engage_pipeline.store.store import ArtifactStore


def _verdict_on(asset: str, rule: Rule) -> Look:
    def look(store: ArtifactStore) -> Finding:
        """Judges every part again, and updates the recorded verdict if it differs."""
        wrong: dict[str | None, str] = {}
        total: Counter[str] = Counter()
        rows = []
        for manifest in versions(store, asset):
            found = outcome_of(store, store.version(manifest), rule)
            if store.verdict(manifest).problems[rule.name] != found.problem:
                store.judge_again(manifest)
            if found.problem:
                wrong[manifest.key] = found.problem
            total.update(found.figures)
            rows.append((manifest.key or asset, *(f"{count:,}" for count in found.figures.values())))
        shown = {"parts": as_table(("part", *total), rows)} if total and len(rows[0]) > 1 else {}
        summary = rule.summary.format_map(defaultdict(int, total)) + limits_in_words(store.settings, *rule.limits)
        return Finding(wrong, summary, dict(total), shown)

    return look


CHECKS = [
    check(asset, name=rule.name, description=rule.description, blocking=True)(_verdict_on(asset, rule))
    for asset in ARTIFACTS
    for rule in stage_rules(asset)
]
