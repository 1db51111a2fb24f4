"""The tables of a comparison in Markdown, one function per table.

Shares are percent of the oracle's RCE on the same rows; `by group` is the mean over the author groups.
"""

import math
from collections.abc import Iterable, Sequence

from engage_pipeline import schema
from engage_pipeline.comparison.outcomes import RunOutcome
from engage_pipeline.comparison.worlds import WorldSpec
from engage_pipeline.metrics import Average, Interval, OracleShare, Score, Scores, group_names
from engage_pipeline.metrics.tables import NO_VALUE

ORACLE = "oracle"
MEAN = "mean"
Row = Sequence[str]
WIDTH = "± 95 %"
"""The title of half of an interval of the share."""
_OVERALL_DIGITS = (1, 1, 1, 2, 2, 4, 4, 0, 0, 0)
_SCORE_TITLES = ("AP", "RCE", "share", WIDTH, "AP by group", "RCE by group", "share by group")
_SCORE_DIGITS = (4, 2, 1, 1, 4, 2, 1)


def number_text(value: float | None, digits: int, *, sign: bool = False) -> str:
    """Formats `value` with `digits` digits and, with `sign`, a plus sign; NO_VALUE for None."""
    if value is None:
        return NO_VALUE
    return f"{value:+z.{digits}f}" if sign else f"{value:z.{digits}f}"


def markdown(header: Row, rows: Iterable[Row], texts: int) -> str:
    """Formats a table whose first `texts` columns are text and whose others are numbers."""
    columns = "|".join("---" if place < texts else "--:" for place in range(len(header)))
    lines = [f"| {' | '.join(header)} |", f"|{columns}|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def half_width(interval: Interval | None) -> float | None:
    """Returns half of the width of an interval; None if there is none."""
    return None if interval is None else (interval[1] - interval[0]) / 2


def mean(values: Iterable[float | None]) -> float | None:
    """Returns the mean of the values that are not None; None if all are."""
    kept = [value for value in values if value is not None]
    return sum(kept) / len(kept) if kept else None


def overall_table(outcomes: Sequence[RunOutcome], worlds: Sequence[WorldSpec], presets: Sequence[str]) -> str:
    """Formats, for each world and preset, means over the engagements, time and peak memory; then means over seeds."""
    header = (
        "world",
        "preset",
        "share",
        WIDTH,
        "by group",
        "RCE",
        "by group",
        "AP",
        "by group",
        "seconds",
        "CPU s",
        "peak MB",
    )
    rows = []
    for title in dict.fromkeys(world.of_all_seeds for world in worlds):
        seeds = [world for world in worlds if world.of_all_seeds == title]
        rows += [
            (world.title, *_overall_cells(preset, _find(outcomes, [world], preset)))
            for world in seeds
            for preset in presets
        ]
        if len(seeds) > 1:
            rows += [(f"{title}, mean", *_overall_cells(preset, _find(outcomes, seeds, preset))) for preset in presets]
    return markdown(header, rows, 2)


def _find(outcomes: Sequence[RunOutcome], worlds: Sequence[WorldSpec], preset: str) -> list[RunOutcome]:
    return [outcome for outcome in outcomes if outcome.world in worlds and outcome.contender == preset]


def _overall_cells(preset: str, outcomes: Sequence[RunOutcome]) -> Row:
    """Formats means over `outcomes`; no values if one of them failed."""
    values = [_overall_values(outcome) for outcome in outcomes]
    if not values or None in values:
        return (preset, "failed" if values else "not run yet", *[NO_VALUE] * (len(_OVERALL_DIGITS) - 1))
    columns = list(zip(*filter(None, values), strict=True))
    means = [mean(column) for column in columns]
    widths = [width for width in columns[1] if width is not None]
    means[1] = math.hypot(*widths) / len(columns[1]) if len(widths) == len(columns[1]) else None  # of separate worlds
    return (preset, *(number_text(value, digits) for value, digits in zip(means, _OVERALL_DIGITS, strict=True)))


def _overall_values(outcome: RunOutcome) -> tuple[float | None, ...] | None:
    scores, share, cost = outcome.scores, outcome.share, outcome.cost
    if scores is None or share is None or cost is None:
        return None
    shares = (share.overall_mean, half_width(share.overall_interval), share.group_mean)
    rce, ap = ([getattr(one, name) for one in (scores.overall_mean, scores.group_mean)] for name in ("rce", "ap"))
    return (*shares, *rce, *ap, cost.seconds, cost.cpu_seconds, cost.peak_mb)


def engagement_table(outcomes: Sequence[RunOutcome]) -> str:
    """Formats AP, RCE and share of each engagement, over all rows and by group; the oracle's in its last line."""
    header = ("engagement", "preset", *_SCORE_TITLES)
    scored = [outcome for outcome in outcomes if outcome.scores]
    rows = []
    for engagement in (*schema.TARGETS, MEAN):
        values = {outcome.contender: _engagement_values(outcome, engagement) for outcome in scored}
        best = _best(list(values.values()))
        if best:
            best[_SCORE_TITLES.index(WIDTH)] = None
        for preset, line in values.items():
            cells = [_cell(value, top, digits) for value, top, digits in zip(line, best, _SCORE_DIGITS, strict=True)]
            rows.append((engagement, preset, *cells))
        if scored and scored[0].oracle:
            oracle = _score_values(scored[0].oracle, engagement)
            cells = [number_text(value, digits) for value, digits in zip(oracle, _SCORE_DIGITS, strict=True)]
            rows.append((engagement, ORACLE, *cells))
    return markdown(header, rows, 2)


def _engagement_values(outcome: RunOutcome, engagement: str) -> tuple[float | None, ...]:
    assert outcome.scores and outcome.share  # noqa: S101 - the caller has chosen those that are scored
    values = _score_values(outcome.scores, engagement)
    share = outcome.share.engagements.get(engagement, outcome.share)
    overall = share.overall_mean if isinstance(share, OracleShare) else share.overall
    return (*values[:2], overall, half_width(share.overall_interval), *values[4:6], share.group_mean)


def _score_values(scores: Scores, engagement: str) -> tuple[float | None, ...]:
    """Returns the values of _SCORE_TITLES, None for the shares."""
    overall: Score | Average = scores.overall_mean
    group = scores.group_mean
    if engagement != MEAN:
        overall, group = scores.engagements[engagement].overall, scores.engagements[engagement].group_mean
    return (overall.ap, overall.rce, None, None, group.ap, group.rce, None)


def _best(lines: Sequence[Sequence[float | None]]) -> list[float | None]:
    """Returns the highest value of each column; None with fewer than two lines."""
    if len(lines) < 2:
        return [None] * len(lines[0]) if lines else []
    return [max((value for value in column if value is not None), default=None) for column in zip(*lines, strict=True)]


def _cell(value: float | None, best: float | None, digits: int) -> str:
    """Formats a value, in bold if it prints the same as the best."""
    text = number_text(value, digits)
    return f"**{text}**" if value is not None and text == number_text(best, digits) else text


def group_table(outcomes: Sequence[RunOutcome]) -> str:
    """Formats the share of each engagement, and their mean, by author group; a group's name gives its followers."""
    scored = [outcome for outcome in outcomes if outcome.scores and outcome.share]
    names = group_names(scored[0].scores.edges) if scored and scored[0].scores else []
    rows = []
    for engagement in (*schema.TARGETS, MEAN):
        values = [_group_shares(outcome, engagement) for outcome in scored]
        best = _best(values)
        for outcome, line in zip(scored, values, strict=True):
            cells = [_cell(value, top, 1) for value, top in zip(line, best, strict=True)]
            rows.append((engagement, outcome.contender, *cells))
    return markdown(("engagement", "preset", *names), rows, 2)


def _group_shares(outcome: RunOutcome, engagement: str) -> tuple[float | None, ...]:
    assert outcome.share  # noqa: S101 - as above
    shares = outcome.share.engagements
    if engagement != MEAN:
        return shares[engagement].groups
    return tuple(mean(column) for column in zip(*(share.groups for share in shares.values()), strict=True))
