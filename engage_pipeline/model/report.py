"""The evaluation report: one HTML file that needs nothing else, in light and dark, on paper and on a phone.

What belongs here: from scores and pictures to HTML. What does not: which models are scored and what is drawn
(evaluation). The page is report.html; everything that comes from data or settings is escaped on its way into it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from engage_pipeline.files import atomic_file
from engage_pipeline.metrics import METRICS, Scores, format_value, group_names, score_rows
from engage_pipeline.plots import as_data_uri

PREDICTING = "predicting"
"""The model that predicts, where it is not the candidate: the report is about the candidate."""
TITLE = "Engagement prediction: evaluation"
Summary = Mapping[str, Mapping[str, Any]]
"""Tables of names and values, by heading."""


@dataclass(frozen=True)
class Figure:
    """A picture of the report. `caption` also describes it to readers who don't see it; `section` groups pictures."""

    title: str
    caption: str
    png: bytes
    section: str = "Figures"


def write_report(path: Path, *, scores: Mapping[str, Scores], figures: Sequence[Figure], summary: Summary) -> None:
    """Writes the report of the models `scores` (at least one) to `path`, whole or not at all.

    The headline and the group tables show the model that `main_model` names. The same arguments give the same bytes.
    """
    template = Template(resources.files("engage_pipeline.model").joinpath("report.html").read_text(encoding="utf-8"))
    sections = list(dict.fromkeys(figure.section for figure in figures))
    main = main_model(scores)
    page = template.substitute(
        title=escape(TITLE),
        subtitle=f"{_rows(scores[main]):,} held-out rows. Models: {escape(', '.join(scores))}.",
        cards=_cards(main, scores[main]),
        contents=_contents(sections),
        score_tables="\n".join(_score_table(scores, metric) for metric in METRICS),
        notes=_notes(scores[main]),
        group_tables="\n".join(_group_table(main, scores[main], metric) for metric in METRICS),
        figure_sections="\n".join(_figure_section(name, i, figures) for i, name in enumerate(sections)),
        summary="\n".join(
            _summary_table(name, values, opened=i == 0) for i, (name, values) in enumerate(summary.items())
        ),
    )
    with atomic_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def main_model(scores: Mapping[str, Scores]) -> str:
    """The candidate: the last model that is neither the one that predicts nor the constant; the constant if alone."""
    names = [name for name in scores if name not in {PREDICTING, "constant"}] or list(scores)
    return names[-1]


def _rows(scores: Scores) -> int:
    return next(iter(scores.engagements.values())).overall.rows


def _cards(name: str, scores: Scores) -> str:
    means = (scores.overall_mean, "all rows"), (scores.group_mean, "by group")
    cards = [
        (f"{title}, {rows}", format_value(getattr(mean, metric), metric))
        for mean, rows in means
        for metric, title in METRICS.items()
    ]
    body = "".join(f"<div><dt>{escape(term)}</dt><dd>{escape(value)}</dd></div>" for term, value in cards)
    return f'<p>Means of the four engagements, model <code>{escape(name)}</code>:</p>\n<dl class="cards">{body}</dl>'


def _contents(sections: Sequence[str]) -> str:
    links = [("scores", "Scores"), ("groups", "By group")]
    links += [(f"figures-{i}", name) for i, name in enumerate(sections)]
    return " ".join(f'<a href="#{key}">{escape(name)}</a>' for key, name in [*links, ("summary", "Data and settings")])


def _score_table(scores: Mapping[str, Scores], metric: str) -> str:
    body = []
    for row in score_rows(scores):
        if row.metric == metric:
            best = row.best()
            cells = [_cell(cell, best=i in best) for i, cell in enumerate(row.cells())]
            first = row.rows == "all rows"
            name = _breakable(row.engagement) if first else f'<span class="muted">{escape(row.rows)}</span>'
            body.append(f'<tr{" class=first" if first else ""}><th scope="row">{name}</th>{"".join(cells)}</tr>')
    caption = f"{METRICS[metric]} of each model on all rows and by group; the best is bold."
    return _table(caption, ["engagement", *scores], body)


def _group_table(name: str, scores: Scores, metric: str) -> str:
    body = []
    for engagement, one in scores.engagements.items():
        cells = [_cell(format_value(getattr(group, metric), metric)) for group in one.groups]
        body.append(f'<tr><th scope="row">{_breakable(engagement)}</th>{"".join(cells)}</tr>')
    groups = next(iter(scores.engagements.values())).groups
    counts = "".join(_cell(f"{group.rows:,}") for group in groups)
    body.append(f'<tr class=first><th scope="row"><span class="muted">rows</span></th>{counts}</tr>')
    caption = f"{METRICS[metric]} of {name} by the number of the author's followers."
    return _table(caption, ["engagement", *group_names(scores.edges)], body)


def _breakable(name: str) -> str:
    """A long name that a narrow screen may break at its underscores."""
    return escape(name).replace("_", "_<wbr>")


def _cell(text: str, *, best: bool = False) -> str:
    return f"<td{' class=best' if best else ''}>{escape(text)}</td>"


def _table(caption: str, columns: Iterable[str], body: Iterable[str]) -> str:
    first, *others = columns
    head = f'<th scope="col" class="left">{escape(first)}</th>' + "".join(
        f'<th scope="col">{escape(name)}</th>' for name in others
    )
    rows = "\n".join(body)
    return (
        f'<div class="scroll" role="region" aria-label="{escape(caption)}" tabindex="0"><table>'
        f"<caption>{escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>"
    )


def _notes(scores: Scores) -> str:
    if not (nulls := scores.nulls()):
        return ""
    items = "".join(f"<li>{escape(line)}</li>" for line in nulls)
    return f'<p class="muted">No score, and left out of the means:</p>\n<ul class="muted">{items}</ul>'


def _figure_section(name: str, place: int, figures: Sequence[Figure]) -> str:
    chosen = "\n".join(
        f'<figure><img src="{as_data_uri(figure.png)}" alt="{escape(f"{figure.title}. {figure.caption}")}" '
        f'loading="lazy"><figcaption>{escape(figure.caption)}</figcaption></figure>'
        for figure in figures
        if figure.section == name
    )
    return (
        f'<section id="figures-{place}">\n<h2>{escape(name)}</h2>\n<div class="figures">\n{chosen}\n</div>\n</section>'
    )


def _summary_table(name: str, values: Mapping[str, Any], *, opened: bool) -> str:
    rows = "\n".join(
        f'<tr><th scope="row"><code>{escape(str(key))}</code></th><td>{escape(_shown(value))}</td></tr>'
        for key, value in values.items()
    )
    return (
        f"<details{' open' if opened else ''}><summary>{escape(name)}</summary>\n<table>\n"
        f'<caption>{escape(name)}</caption>\n<thead><tr><th scope="col" class="left">name</th>'
        f'<th scope="col" class="left">value</th></tr></thead>\n<tbody>\n{rows}\n</tbody></table></details>'
    )


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_shown(one) for one in value)
    return str(value)
