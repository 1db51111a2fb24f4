"""Score tables: several models side by side, as plain text for the terminal and as Markdown.

What does not belong here: the scores (scores) and the HTML report (model.evaluation.report).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from engage_pipeline.metrics.rare_classes import few_of_a_class
from engage_pipeline.metrics.scores import Average, Interval, OracleShare, Score, Scores, group_names

NO_VALUE = "-"
"""The cell of a score that is null."""
INTERVAL = "95 % interval"
"""The name of a row with the intervals of the row above."""
METRICS = {"ap": "AP", "rce": "RCE"}
_DIGITS = {"ap": 4, "rce": 2}
_WIDTH = 7


@dataclass(frozen=True)
class ScoreRow:
    """One line of a score table: a metric of one engagement, or of their mean, for each model.

    `rows`: the scored rows, `all rows`, or `by group` = the mean over the author follower groups. `intervals` are those
    of the values; empty if none is known.
    """

    metric: str
    engagement: str
    rows: str
    values: tuple[float | None, ...]
    intervals: tuple[Interval | None, ...] = ()

    def interval_cells(self) -> list[str]:
        """Returns the intervals as text, NO_VALUE for null."""
        return [format_interval(one, self.metric) for one in self.intervals]

    def half_widths(self) -> list[str]:
        """Returns half of each interval's width as text, which is short enough for a terminal."""
        return [format_value(one and (one[1] - one[0]) / 2, self.metric) for one in self.intervals]

    def cells(self) -> list[str]:
        """Returns the values as text, NO_VALUE for null."""
        return [format_value(value, self.metric) for value in self.values]

    def best(self) -> set[int]:
        """Returns the indices of the models with the highest printed value; none with fewer than two values."""
        known = [value for value in self.values if value is not None]
        if len(known) < 2:
            return set()
        top = format_value(max(known), self.metric)
        return {i for i, cell in enumerate(self.cells()) if cell == top}


def format_value(value: float | None, metric: str) -> str:
    """Formats AP with four digits, RCE with two."""
    return NO_VALUE if value is None else f"{value:z.{_DIGITS[metric]}f}"


def format_interval(interval: Interval | None, metric: str) -> str:
    """Formats both ends, such as `17.90 to 20.10`."""
    return NO_VALUE if interval is None else " to ".join(format_value(end, metric) for end in interval)


def score_rows(scores: Mapping[str, Scores]) -> list[ScoreRow]:
    """Returns the rows of AP, then of RCE: each engagement and the mean, each over all rows and by group."""
    return [
        ScoreRow(metric, engagement, rows, tuple(getattr(case, metric) for case in cases), _intervals(cases, metric))
        for metric in METRICS
        for engagement, rows, cases in _cases(list(scores.values()))
    ]


def _intervals(cases: Sequence[Score | Average], metric: str) -> tuple[Interval | None, ...]:
    intervals = tuple(getattr(case, f"{metric}_interval") for case in cases)
    return intervals if any(intervals) else ()


def _cases(models: list[Scores]) -> Iterator[tuple[str, str, list[Score] | list[Average]]]:
    for name in models[0].engagements if models else ():
        yield name, "all rows", [model.engagements[name].overall for model in models]
        yield name, "by group", [model.engagements[name].group_mean for model in models]
    yield "mean", "all rows", [model.overall_mean for model in models]
    yield "mean", "by group", [model.group_mean for model in models]


def format_table(scores: Mapping[str, Scores]) -> str:
    """Formats AP and RCE in plain text, a column per model; lines on the scores that are null follow.

    Half the width of an interval is printed below its score.
    """
    widths = [max(_WIDTH, len(name)) for name in scores]
    blocks = []
    for metric, title in METRICS.items():
        lines = [f"{title:<30}" + _aligned(scores, widths)]
        for row in score_rows(scores):
            if row.metric == metric:
                name = row.engagement if row.rows == "all rows" else ""
                lines.append(f"{name:<20}  {row.rows}" + _aligned(row.cells(), widths))
                if row.intervals:
                    lines.append(f"{'':<20}  {'± 95 %':<8}" + _aligned(row.half_widths(), widths))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks + _notes(scores))


def _aligned(cells: Iterable[str], widths: Sequence[int]) -> str:
    return "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths, strict=True))


def format_markdown(scores: Mapping[str, Scores]) -> str:
    """Formats the same table in Markdown, the best model of each line in bold."""
    lines = [
        f"| metric | engagement | rows | {' | '.join(map(_escape, scores))} |",
        "|---|---|---|" + "---:|" * len(scores),
    ]
    for row in score_rows(scores):
        best = row.best()
        cells = [f"**{cell}**" if i in best else cell for i, cell in enumerate(row.cells())]
        lines.append(f"| {METRICS[row.metric]} | {row.engagement} | {row.rows} | {' | '.join(cells)} |")
        if row.intervals:
            bounds = " | ".join(row.interval_cells())
            lines.append(f"| {METRICS[row.metric]} | {row.engagement} | {INTERVAL} | {bounds} |")
    return "\n".join(["\n".join(lines), *(f"\n{note}" for note in _notes(scores))])


def format_groups(scores: Scores) -> str:
    """Formats AP and RCE of one model by author follower group, in plain text."""
    blocks = []
    for metric, title in METRICS.items():
        lines = [f"{f'{title} by followers':<20}" + _aligned(group_names(scores.edges), _group_widths(scores))]
        for name, one in scores.engagements.items():
            cells = [format_value(getattr(group, metric), metric) for group in one.groups]
            lines.append(f"{name:<20}" + _aligned(cells, _group_widths(scores)))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _group_widths(scores: Scores) -> list[int]:
    return [max(_WIDTH, len(name)) for name in group_names(scores.edges)]


def format_shares(share: OracleShare) -> str:
    """Formats RCE in percent of the oracle's in plain text, a line per engagement."""
    lines = [f"{'% of the oracle RCE':<20}  {'all rows':>9} {INTERVAL:>15} {'by group':>9}"]
    cases = [(name, one.overall, one.overall_interval, one.group_mean) for name, one in share.engagements.items()]
    cases.append(("mean", share.overall_mean, share.overall_interval, share.group_mean))
    for name, overall, bounds, groups in cases:
        interval = NO_VALUE if bounds is None else f"{bounds[0]:.1f} to {bounds[1]:.1f}"
        cells = [NO_VALUE if value is None else f"{value:.1f}" for value in (overall, groups)]
        lines.append(f"{name:<20}  {cells[0]:>9} {interval:>15} {cells[1]:>9}")
    return "\n".join(lines)


def _notes(scores: Mapping[str, Scores]) -> list[str]:
    """Returns why scores are missing or say nothing. It depends on the labels alone: it is the same for all models."""
    notes = score_notes(next(iter(scores.values()))) if scores else {}
    return ["\n".join([f"{title}:", *(f"- {line}" for line in lines)]) for title, lines in notes.items()]


def score_notes(scores: Scores) -> dict[str, list[str]]:
    """Returns why scores are missing or say nothing: lines by what the scores have in common."""
    few = few_of_a_class(scores)
    scored = [name for name, one in scores.engagements.items() if one.overall.rce is not None]
    elsewhere = ", counted in the means, left out of decisions to promote" if len(few) < len(scored) else ""
    notes = {
        "No score, left out of the means": scores.nulls(),
        f"Decided by chance{elsewhere}": [f"{name}: {words}" for name, words in few.items()],
    }
    return {title: lines for title, lines in notes.items() if lines}


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
