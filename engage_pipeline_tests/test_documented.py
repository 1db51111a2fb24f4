"""Every command and option stands in the documentation, and the documentation names no others."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engage_pipeline_tests import documented
from engage_pipeline_tests.documented import commands, options
from engage_pipeline_tests.worlds import REPOSITORY

PAGE = REPOSITORY / "docs" / "commands.md"
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "deploy/**/*.md", "data/README.md")
    for page in REPOSITORY.glob(pattern)
    if page.name != "CHANGELOG.md" and page.parent.name != "adr"
)
"""What tells the present: an ADR and the change log tell what was."""
CODE = re.compile(r"^```\w*\n(?P<block>.*?)^```|(?P<line>`[^`\n]+`)", re.MULTILINE | re.DOTALL)
CALL = re.compile(
    r"(?:^|(?<!--namespace)(?<!--install)\s|[`(/])engage (?P<command>[a-z][a-z-]*)(?P<rest>(?:\\\n|[^\n`|;&#])*)"
)
LINK = re.compile(r"\]\((?![a-z]+:)(?P<file>[^)#\s]+)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def calls(page: Path) -> Iterator[tuple[str, list[str]]]:
    """The command and the options of each `engage …` in the code of a page."""
    for code in CODE.finditer(page.read_text(encoding="utf-8")):
        for found in CALL.finditer(code["block"] or code["line"]):
            yield found["command"], OPTION.findall(found["rest"])


@pytest.mark.parametrize("name", documented.PAGES)
def test_a_page_that_is_made_is_current(name: str) -> None:
    page = f"docs/{name}.md"
    again = f"{page}: write it anew with `python -m engage_pipeline_tests.documented {name} > {page}`"
    assert (REPOSITORY / page).read_text(encoding="utf-8") == documented.PAGES[name](), again


@pytest.mark.parametrize("name", commands())
def test_every_command_and_option_stands_on_the_page(name: str) -> None:
    _, _, section = PAGE.read_text(encoding="utf-8").partition(f"## `engage {name}`\n")
    section = section.partition("\n## ")[0]
    assert section
    assert [option for option in options(commands()[name]) if f"`{option}`" not in section] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_a_page_names_no_command_or_option_that_there_is_not(page: Path) -> None:
    known = {name: {*options(command), "--help"} for name, command in commands().items()}
    unknown = [
        f"engage {command} {' '.join(set(found) - known.get(command, set()))}".strip()
        for command, found in calls(page)
        if command not in known or not set(found) <= known[command]
    ]
    assert unknown == []


def test_calls_are_found_in_blocks_and_in_lines(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```\ntime engage run --target a \\\n  --old  # engage a --b\n```\n"
        "`engage status` of `x --y`, `.venv/bin/engage z`, `kubectl --namespace engage create`"
    )
    assert list(calls(page)) == [("run", ["--target", "--old"]), ("a", ["--b"]), ("status", []), ("z", [])]


def test_every_link_leads_to_a_file() -> None:
    """Those of the ADRs and of the change log, too."""
    pages = [page for pattern in ("*.md", "docs/**/*.md", "deploy/**/*.md") for page in REPOSITORY.glob(pattern)]
    links = [(page, found["file"]) for page in pages for found in LINK.finditer(page.read_text(encoding="utf-8"))]
    assert len(links) > 300
    assert [f"{page}: {file}" for page, file in links if not (page.parent / file).exists()] == []
