"""The evaluation report: one self-contained HTML file, for light and dark screens, paper and phones.

What belongs here: converting sections of tables and pictures to HTML. What does not: the content of the sections
(the modules `*_section`, figures). HTML and CSS stand in `templates`; Jinja escapes every value.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engage_pipeline.files.atomic import atomic_file
from engage_pipeline.plots import as_data_uri, size_of

if TYPE_CHECKING:
    from jinja2 import Template

TITLE = "Engagement prediction: evaluation"
SUMMARY, SETTINGS = "Summary", "Settings"
"""The first and the last section."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table; `best`: the best of its row; `muted`: less important; `words`: a text that may wrap.

    `note` stands below, in small type.
    """

    text: str
    best: bool = False
    muted: bool = False
    words: bool = False
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A table; the first cell of a row names the row. The rows `begins` start blocks of rows. A `folded` table shows
    only its caption until it is opened."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    begins: frozenset[int] = frozenset()
    folded: bool = False

    def cells(self) -> list[list[Cell]]:
        """Returns the cells of each row."""
        return [[Cell(cell) if isinstance(cell, str) else cell for cell in row] for row in self.rows]

    def holds_words(self, column: int) -> bool:
        """Returns whether the column (from 0) holds texts that may wrap."""
        return any(row[column].words for row in self.cells())

    def to_markdown(self) -> str:
        """Returns the table in Markdown, for Dagster's metadata."""
        rows = [[cell.text for cell in row] for row in self.cells()]
        lines = ["| " + " | ".join(map(_markdown, cells)) + " |" for cells in (self.columns, *rows)]
        return "\n".join(
            [lines[0], "|---|" + "---:|" * (len(self.columns) - 1), *lines[1:], "", _markdown(self.caption)]
        )


@dataclass(frozen=True)
class Figure:
    """A picture. `caption` also describes it to readers who don't see it."""

    title: str
    caption: str
    svg: bytes

    @property
    def source(self) -> str:
        """The picture as a data URI."""
        return as_data_uri(self.svg)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, pixels."""
        return size_of(self.svg)


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
    """The top of the page: a line, the decision in words, `cards` with figures by name, and `about` them.

    `identity` says, by name, which model, data and code the page is about.
    """

    line: str
    decision: str
    cards: Mapping[str, Cell]
    about: str
    identity: Mapping[str, str] = field(default_factory=dict)


def write_report(path: Path, *, headline: Headline, sections: Sequence[Section], settings: Mapping[str, Any]) -> None:
    """Writes the report to `path`, whole or not at all. The same arguments give the same bytes.

    `settings` are shown by name at the end. Empty groups and sections are left out.
    """
    shown = [*sections, Section(SETTINGS, [Group(tables=[_settings_table(settings)])])]
    filled = [section for section in map(_filled, shown) if section.groups]
    page = _template("report.html").render(title=TITLE, headline=headline, sections=filled)
    with atomic_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _template(name: str) -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("engage_pipeline.model.evaluation", "templates")
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).get_template(name)


def _filled(section: Section) -> Section:
    return Section(section.title, [one for one in section.groups if one.paragraphs or one.tables or one.figures])


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
