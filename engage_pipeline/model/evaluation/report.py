"""The evaluation report: one self-contained HTML file, for light and dark screens, paper and phones.

What belongs here: converting sections of tables and pictures to HTML. What does not: the content of the sections
(scores_section, pipeline_section, figures). The template is report.html; all values from data or settings are escaped.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from engage_pipeline.files.atomic import atomic_file
from engage_pipeline.plots import as_data_uri

TITLE = "Engagement prediction: evaluation"
SUMMARY, SETTINGS = "Summary", "Settings"
"""The first and the last section."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table; `best`: the best of its row; `muted`: less important."""

    text: str
    best: bool = False
    muted: bool = False


@dataclass(frozen=True)
class Table:
    """A table; the first cell of a row names the row. The rows `begins` start blocks of rows. A `folded` table shows
    only its caption until it is opened."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    begins: frozenset[int] = frozenset()
    folded: bool = False

    def to_markdown(self) -> str:
        """Returns the table in Markdown, for Dagster's metadata."""
        rows = [[cell if isinstance(cell, str) else cell.text for cell in row] for row in self.rows]
        lines = ["| " + " | ".join(map(_markdown, cells)) + " |" for cells in (self.columns, *rows)]
        return "\n".join(
            [lines[0], "|---|" + "---:|" * (len(self.columns) - 1), *lines[1:], "", _markdown(self.caption)]
        )


@dataclass(frozen=True)
class Figure:
    """A picture. `caption` also describes it to readers who don't see it."""

    title: str
    caption: str
    png: bytes


@dataclass(frozen=True)
class Group:
    """Text, tables and pictures under one heading; without a title, they follow the section's heading."""

    title: str = ""
    paragraphs: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()


@dataclass(frozen=True)
class Section:
    """A section of the page, with an entry in the table of contents."""

    title: str
    groups: Sequence[Group]


@dataclass(frozen=True)
class Headline:
    """The top of the page: a line, the decision in words, `cards` with figures by name, and `about` them."""

    line: str
    decision: str
    cards: Mapping[str, str]
    about: str


def write_report(path: Path, *, headline: Headline, sections: Sequence[Section], settings: Mapping[str, Any]) -> None:
    """Writes the report to `path`, whole or not at all. The same arguments give the same bytes.

    `settings` are shown by name at the end. Empty groups and sections are left out.
    """
    template = Template(
        resources.files("engage_pipeline.model.evaluation").joinpath("report.html").read_text(encoding="utf-8")
    )
    filled = [section for section in map(_filled, sections) if section.groups]
    page = template.substitute(
        title=escape(TITLE),
        line=escape(headline.line),
        decision=_decision(headline.decision) if headline.decision else "",
        about=escape(headline.about),
        cards="".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in headline.cards.items()),
        contents=" ".join(_link(i, title) for i, title in enumerate([*(one.title for one in filled), SETTINGS])),
        sections="\n".join(_section(i, section) for i, section in enumerate(filled)),
        settings=_section(len(filled), Section(SETTINGS, [Group(tables=[_settings_table(settings)])])),
    )
    with atomic_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _decision(words: str) -> str:
    return (
        f'<p class="decision"><span class="muted">Does the new model predict from now on?</span><br>{escape(words)}</p>'
    )


def _filled(section: Section) -> Section:
    return Section(section.title, [one for one in section.groups if one.paragraphs or one.tables or one.figures])


def _link(place: int, title: str) -> str:
    return f'<a href="#section-{place}">{escape(title)}</a>'


def _section(place: int, section: Section) -> str:
    groups = "\n".join(_group(group) for group in section.groups)
    return f'<section id="section-{place}">\n<h2>{escape(section.title)}</h2>\n{groups}\n</section>'


def _group(group: Group) -> str:
    parts = [f"<h3>{escape(group.title)}</h3>"] if group.title else []
    parts += [f"<p>{escape(text)}</p>" for text in group.paragraphs]
    parts += [_table(table) for table in group.tables]
    if group.figures:
        figures = "\n".join(_figure(figure) for figure in group.figures)
        parts.append(f'<div class="figures">\n{figures}\n</div>')
    return "\n".join(parts)


def _figure(figure: Figure) -> str:
    width, height = struct.unpack(">II", figure.png[16:24])
    return (
        f'<figure><img src="{as_data_uri(figure.png)}" alt="{escape(f"{figure.title}. {figure.caption}")}" '
        f'width="{width}" height="{height}"><figcaption>{escape(figure.caption)}</figcaption></figure>'
    )


def _table(table: Table) -> str:
    first, *others = table.columns
    head = f'<th scope="col" class="left">{escape(first)}</th>' + "".join(
        f'<th scope="col">{escape(name)}</th>' for name in others
    )
    rows = "\n".join(_row(cells, begins=place in table.begins) for place, cells in enumerate(table.rows))
    caption = escape(table.caption)
    pairs = " class=pairs" if len(table.columns) == 2 else ""
    body = (
        f'<div class="scroll" role="region" aria-label="{caption}" tabindex="0"><table{pairs}>'
        f"<caption>{caption}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>"
    )
    return f"<details><summary>{caption}</summary>\n{body}\n</details>" if table.folded else body


def _row(cells: Sequence[Cell | str], *, begins: bool) -> str:
    name, *values = (Cell(cell) if isinstance(cell, str) else cell for cell in cells)
    muted = f'<span class="muted">{_breakable(name.text)}</span>' if name.muted else _breakable(name.text)
    body = "".join(f"<td{' class=best' if cell.best else ''}>{_breakable(cell.text)}</td>" for cell in values)
    return f'<tr{" class=first" if begins else ""}><th scope="row">{muted}</th>{body}</tr>'


def _breakable(name: str) -> str:
    """Escapes a name and lets narrow screens break it at its underscores."""
    return escape(name).replace("_", "_<wbr>")


def _settings_table(settings: Mapping[str, Any]) -> Table:
    rows = [(name, _shown(value)) for name, value in _flattened(settings).items()]
    return Table(
        "The settings that the evaluation and all that it is made of depend on.",
        ("setting", "value"),
        rows,
        folded=True,
    )


def _flattened(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flattened(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_shown(one) for one in value)
    return str(value)


def _markdown(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")


def table_of(caption: str, values: Iterable[tuple[str, str]]) -> Table:
    """Makes a table of names and their figures."""
    return Table(caption, ("what", "value"), list(values))
