"""The report's scores: the headline, all models side by side, and one model by author group and by slice.

That one model is the live one, where it is another than the candidate; its scores come first.
"""

from collections.abc import Iterator, Mapping, Sequence

from engage_pipeline import schema
from engage_pipeline.metrics import (
    DRAWS,
    LEAST_OF_A_CLASS,
    METRICS,
    Average,
    Scores,
    format_interval,
    format_value,
    group_names,
    score_notes,
    score_rows,
)
from engage_pipeline.model.evaluation.history_section import ModelHistory
from engage_pipeline.model.evaluation.pipeline_section import PipelineFacts
from engage_pipeline.model.evaluation.report import SUMMARY, Cell, Group, Headline, Section, Table
from engage_pipeline.model.evaluation.slices import SliceScore, Slicing
from engage_pipeline.plurals import NBSP, counted

PREDICTING = "predicting"
"""The name of the live model when it is not the candidate."""
EXPLANATION = (
    "AP, average precision: 1 is a perfect ranking, the share of positives is chance. RCE, relative cross entropy in "
    "percent: 0 is as good as always giving the mean rate of the scored rows, 100 is perfect, below 0 is worse. By "
    "group is the mean over the authors' follower groups. 95 % intervals: the middle of "
    f"{DRAWS} scores of viewers drawn with replacement, each with all of its rows."
)
SLICES = (
    "RCE in percent with its 95 % interval, in which viewers are drawn, each with all of its rows; below it AP "
    "and the share of positives, which is the AP of chance. The naive rate of RCE is that of the slice. A dash: fewer "
    f"than {LEAST_OF_A_CLASS} positives or negatives, so that chance would decide."
)


def main_model(scores: Mapping[str, Scores]) -> str:
    """Returns the candidate's name: the last model that is neither PREDICTING nor the constant, else the last one."""
    names = [name for name in scores if name not in {PREDICTING, "constant"}] or list(scores)
    return names[-1]


def reported_model(scores: Mapping[str, Scores]) -> str:
    """Returns the name of the model that the page is about: the live one, else the candidate."""
    return PREDICTING if PREDICTING in scores else main_model(scores)


def reported_first(scores: Mapping[str, Scores]) -> dict[str, Scores]:
    """Returns the scores with those of the reported model first."""
    main = reported_model(scores)
    return {main: scores[main], **scores}


def headline(scores: Mapping[str, Scores], history: ModelHistory, facts: PipelineFacts) -> Headline:
    """Makes the headline: the reported model's means over the engagements, and what it is made of."""
    main = reported_model(scores)
    one = scores[main]
    rows = next(iter(one.engagements.values())).overall.rows
    cards = {
        f"{title}, {which}": _mean_cell(mean, metric)
        for mean, which in ((one.overall_mean, "all rows"), (one.group_mean, "by group"))
        for metric, title in METRICS.items()
    }
    line = f"{rows:,} held-out rows, which no model was trained on. Models: {', '.join(reported_first(scores))}."
    about = "the model that predicts" if main == PREDICTING else f"the candidate's {main}"
    return Headline(
        line, history.decision, cards, f"Means over the engagements, {about}:", dict(_identity(history, facts))
    )


def _identity(history: ModelHistory, facts: PipelineFacts) -> Iterator[tuple[str, str]]:
    """Yields what the page is about: models with their dates, data and code, as far as they are known."""
    found = {one.name: one for one in facts.made}
    if history.decision:
        live = history.predicting
        yield "Model", f"{live.version}, predicts since {live.promoted}" if live else "none predicts"
    if candidate := found.get("candidate_model"):
        yield "Candidate", f"{candidate.version}, made {candidate.made}"
    if "tweet_parts" in found and "validation_tweets" in found:
        training, validation = found["tweet_parts"], found["validation_tweets"]
        yield (
            "Data",
            f"{training.rows or 0:,} training rows in {counted(training.parts or 0, 'part')}, version "
            f"{training.version}; {validation.rows or 0:,} validation rows, version {validation.version}",
        )
    if code := _code(history, facts):
        yield "Code", f"{code} (a digest of the code versions of the steps from raw parts to this model)"


def _code(history: ModelHistory, facts: PipelineFacts) -> str:
    """Returns the code that made the model that predicts, else the candidate, as on its card; empty if unknown."""
    if history.predicting:
        return history.predicting.code
    candidate = facts.candidate_model
    return candidate.provenance.code if candidate and candidate.provenance else ""


def _mean_cell(mean: Average, metric: str) -> Cell:
    interval = getattr(mean, f"{metric}_interval")
    note = "" if interval is None else format_interval(interval, metric)
    return Cell(format_value(getattr(mean, metric), metric), note=note)


def summary_section(scores: Mapping[str, Scores], data: Table) -> Section:
    """Makes the section with AP and RCE of each model, over all rows and by group; `data` describes the rows."""
    tables = [_score_table(reported_first(scores), metric) for metric in METRICS]
    found = score_notes(scores[reported_model(scores)])
    notes = [f"{title}: {'; '.join(lines)}." for title, lines in found.items()]
    return Section(SUMMARY, [Group("Scores", [EXPLANATION], tables), Group(paragraphs=notes, tables=[data])])


def group_tables(scores: Mapping[str, Scores]) -> list[Table]:
    """Makes the tables of the reported model's AP and RCE by author group."""
    main = reported_model(scores)
    return [_group_table(main, scores[main], metric) for metric in METRICS]


def slices_section(model: str, slicings: Sequence[Slicing]) -> Section:
    """Makes the section with a table for each slicing of the rows, of the scores of `model`."""
    return Section("Slices", [Group(paragraphs=[f"Model {model}. {SLICES}"], tables=list(map(_slice_table, slicings)))])


def _slice_table(slicing: Slicing) -> Table:
    rows: list[list[Cell | str]] = [
        [one.name, f"{one.rows:,}", *map(_slice_cell, one.scores)] for one in slicing.slices
    ]
    return Table(f"By {slicing.title}.", (slicing.title, "rows", *schema.TARGETS), rows)


def _slice_cell(one: SliceScore) -> Cell:
    chance = f"chance{NBSP}{format_value(one.share, 'ap')}"
    if one.rce is None:
        return Cell(format_value(None, "rce"), note=chance)
    margin = "" if one.margin is None else f" ± {format_value(one.margin, 'rce')}"
    return Cell(
        f"{format_value(one.rce, 'rce')}{margin}",
        note=f"AP{NBSP}{format_value(one.ap, 'ap')}, {chance}",
    )


def _score_table(scores: Mapping[str, Scores], metric: str) -> Table:
    rows: list[list[Cell | str]] = []
    begins = set()
    for row in score_rows(scores):
        if row.metric == metric:
            overall = row.rows == "all rows"
            if overall:
                begins.add(len(rows))
            name = Cell(row.engagement if overall else row.rows, muted=not overall)
            notes = [text.replace(" ", NBSP) for text in row.interval_cells()] or [""] * len(scores)
            cells = enumerate(zip(row.cells(), notes, strict=True))
            rows.append([name, *(Cell(text, best=i in row.best(), note=note) for i, (text, note) in cells)])
    caption = f"{METRICS[metric]} of each model on all rows, with its 95 % interval, and by group; the best is bold."
    return Table(caption, ("engagement", *scores), rows, frozenset(begins))


def _group_table(name: str, scores: Scores, metric: str) -> Table:
    rows: list[list[Cell | str]] = [
        [engagement, *(format_value(getattr(group, metric), metric) for group in one.groups)]
        for engagement, one in scores.engagements.items()
    ]
    groups = next(iter(scores.engagements.values())).groups
    rows.append([Cell("rows", muted=True), *(f"{group.rows:,}" for group in groups)])
    caption = f"{METRICS[metric]} of model {name} by the number of the author's followers."
    return Table(caption, ("engagement", *group_names(scores.edges)), rows, frozenset({len(rows) - 1}))
