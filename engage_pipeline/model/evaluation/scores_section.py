"""The report's score tables: all models side by side, and the main model by author group."""

from collections.abc import Mapping

from engage_pipeline.metrics import (
    DRAWS,
    INTERVAL,
    METRICS,
    Average,
    Scores,
    format_interval,
    format_value,
    group_names,
    score_rows,
)
from engage_pipeline.model.evaluation.report import SUMMARY, Cell, Group, Headline, Section, Table

PREDICTING = "predicting"
"""The name of the live model when it is not the candidate; the report is about the candidate."""
EXPLANATION = (
    "AP, average precision: 1 is a perfect ranking, the share of positives is chance. RCE, relative cross entropy in "
    "percent: 0 is as good as always giving the mean rate of the scored rows, 100 is perfect, below 0 is worse. By "
    "group is the mean over the authors' follower groups. 95 % intervals: the middle of "
    f"{DRAWS} scores of viewers drawn with replacement, each with all of its rows."
)


def main_model(scores: Mapping[str, Scores]) -> str:
    """Returns the candidate's name: the last model that is neither PREDICTING nor the constant, else the last one."""
    names = [name for name in scores if name not in {PREDICTING, "constant"}] or list(scores)
    return names[-1]


def headline(scores: Mapping[str, Scores], decision: str) -> Headline:
    """Makes the headline with the main model's means over the engagements."""
    main = main_model(scores)
    one = scores[main]
    rows = next(iter(one.engagements.values())).overall.rows
    cards = {
        f"{title}, {which}": _with_interval(mean, metric)
        for mean, which in ((one.overall_mean, "all rows"), (one.group_mean, "by group"))
        for metric, title in METRICS.items()
    }
    line = f"{rows:,} held-out rows, which no model was trained on. Models: {', '.join(scores)}."
    return Headline(line, decision, cards, f"Means of the four engagements, model {main}:")


def _with_interval(mean: Average, metric: str) -> str:
    interval = getattr(mean, f"{metric}_interval")
    value = format_value(getattr(mean, metric), metric)
    return value if interval is None else f"{value} ({format_interval(interval, metric)})"


def summary_section(scores: Mapping[str, Scores], data: Table) -> Section:
    """Makes the section with AP and RCE of each model, over all rows and by group; `data` describes the rows."""
    tables = [_score_table(scores, metric) for metric in METRICS]
    nulls = scores[main_model(scores)].nulls()
    notes = [f"No score, and left out of the means: {'; '.join(nulls)}."] if nulls else []
    return Section(SUMMARY, [Group("Scores", [EXPLANATION], tables), Group(paragraphs=notes, tables=[data])])


def group_tables(scores: Mapping[str, Scores]) -> list[Table]:
    """Makes the tables of the main model's AP and RCE by author group."""
    main = main_model(scores)
    return [_group_table(main, scores[main], metric) for metric in METRICS]


def _score_table(scores: Mapping[str, Scores], metric: str) -> Table:
    rows: list[list[Cell | str]] = []
    begins = set()
    for row in score_rows(scores):
        if row.metric == metric:
            overall = row.rows == "all rows"
            if overall:
                begins.add(len(rows))
            name = Cell(row.engagement if overall else row.rows, muted=not overall)
            rows.append([name, *(Cell(text, best=i in row.best()) for i, text in enumerate(row.cells()))])
            if row.intervals:
                rows.append([Cell(INTERVAL, muted=True), *map(Cell, row.interval_cells())])
    caption = f"{METRICS[metric]} of each model on all rows and by group; the best is bold."
    return Table(caption, ("engagement", *scores), rows, frozenset(begins))


def _group_table(name: str, scores: Scores, metric: str) -> Table:
    rows: list[list[Cell | str]] = [
        [engagement, *(format_value(getattr(group, metric), metric) for group in one.groups)]
        for engagement, one in scores.engagements.items()
    ]
    groups = next(iter(scores.engagements.values())).groups
    rows.append([Cell("rows", muted=True), *(f"{group.rows:,}" for group in groups)])
    caption = f"{METRICS[metric]} of {name} by the number of the author's followers."
    return Table(caption, ("engagement", *group_names(scores.edges)), rows, frozenset({len(rows) - 1}))
