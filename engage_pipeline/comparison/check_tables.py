"""The tables of deliberate changes: feature families left out, shuffled labels, viewers never seen."""

from collections.abc import Mapping, Sequence

from engage_pipeline import schema
from engage_pipeline.comparison.outcomes import RunOutcome
from engage_pipeline.comparison.tables import Row, markdown, number_text
from engage_pipeline.metrics import OracleShare
from engage_pipeline.metrics.tables import NO_VALUE


def ablation_table(base: RunOutcome | None, without: Mapping[str, RunOutcome | None]) -> str:
    """Formats by how many points the share of `base` changes without each feature family: negative if it helps."""
    header = ("left out", "share", "change", "by group", *schema.TARGETS, "CPU s")
    rows: list[Row] = [_ablation_row("nothing", base, None)]
    rows += [_ablation_row(family, outcome, base) for family, outcome in without.items()]
    return markdown(header, rows, 1)


def _ablation_row(name: str, outcome: RunOutcome | None, base: RunOutcome | None) -> Row:
    if outcome is None or outcome.share is None or outcome.cost is None:
        return (name, "not run yet" if outcome is None else "failed", *[NO_VALUE] * (3 + len(schema.TARGETS)))
    share, against = _shares(outcome.share), base and base.share and _shares(base.share)
    pairs = zip(share, against or [None] * len(share), strict=True)
    changes = [None if one is None or other is None else one - other for one, other in pairs]
    cells = [number_text(change, 1, sign=True) for change in changes]
    return (name, number_text(share[0], 1), *cells, number_text(outcome.cost.cpu_seconds, 0))


def _shares(share: OracleShare) -> list[float | None]:
    """Returns the shares overall, by group, then of each engagement over all rows."""
    return [share.overall_mean, share.group_mean, *(share.engagements[target].overall for target in schema.TARGETS)]


def check_table(outcome: RunOutcome | None) -> str:
    """Formats the RCE of each engagement beside the oracle's on the same rows; `positives` = rows with it."""
    if outcome is None or outcome.scores is None or outcome.oracle is None or outcome.share is None:
        return "Not run yet." if outcome is None else f"Failed: {outcome.problem}"
    rows: list[Row] = []
    for target, one in outcome.scores.engagements.items():
        best = outcome.oracle.engagements[target].overall
        numbers = [number_text(one.overall.rce, 2), number_text(best.rce, 2)]
        share = number_text(outcome.share.engagements[target].overall, 1)
        rows.append((target, f"{one.overall.rows:,}", f"{one.overall.positives:,}", *numbers, share))
    averages = [outcome.scores.overall_mean.rce, outcome.oracle.overall_mean.rce]
    numbers = [number_text(value, 2) for value in averages]
    rows.append(("mean", "", "", *numbers, number_text(outcome.share.overall_mean, 1)))
    return markdown(("engagement", "rows", "positives", "RCE", "RCE of the oracle", "share"), rows, 1)


def problems(outcomes: Sequence[RunOutcome]) -> list[str]:
    """Returns a line for each failed run."""
    return [
        f"- {outcome.contender} on {outcome.world.title} ({outcome.world.variant}): {outcome.problem}"
        for outcome in outcomes
        if outcome.problem is not None
    ]
