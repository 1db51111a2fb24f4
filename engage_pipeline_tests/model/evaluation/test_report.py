"""The report is one page that needs nothing else, and nothing that is put into it can break out of its place."""

from pathlib import Path

import numpy as np
import pytest

from engage_pipeline import metrics, plots, schema
from engage_pipeline.model.evaluation.report import (
    Cell,
    Figure,
    Group,
    Headline,
    Section,
    Table,
    table_of,
    write_report,
)
from engage_pipeline.model.evaluation.scores_section import group_tables, headline, main_model, summary_section
from engage_pipeline_tests.model.evaluation.report_pages import Page, assert_whole

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>$title ${cards} </details></main> & ' {0} %s"
PNG = plots.similarity_degrees({"1": 1, "2": 2})
SETTINGS = {"seed": 20210, "none": None, "yes": True, "list": [1, 2], "network": {"epochs": 2, "precision": "auto"}}


def scores(seed: int = 0) -> metrics.Scores:
    rng = np.random.default_rng(seed)
    labels = rng.random((300, 4)) < 0.3
    followers = rng.integers(0, 3000, 300)
    return metrics.score(labels, rng.random((300, 4)), followers, edges=(240, 588, 1331, 3996))


MODELS = {"network": scores(0), "blend": scores(1), "constant": scores(2)}
SECTIONS = [
    summary_section(MODELS, table_of("The rows.", [("holdout rows", "1,234")])),
    Section("Empty", [Group("Nothing")]),
    Section("Figures", [Group(figures=[Figure("A title", "A caption.", PNG)]), Group("More", ["A line."])]),
    Section("Quality", [Group("By group", tables=group_tables(MODELS))]),
]


def page_of(path: Path, **changes: object) -> Page:
    values = {"headline": headline(MODELS, "turned down: 3 points worse"), "sections": SECTIONS, "settings": SETTINGS}
    write_report(path, **(values | changes))  # type: ignore[arg-type]
    return Page(path.read_text(encoding="utf-8"))


def test_a_page_is_whole_and_needs_nothing_else(tmp_path: Path) -> None:
    page = page_of(tmp_path / "report.html")
    assert_whole(page)
    assert page.text_of("h2") == ["Summary", "Figures", "Quality", "Settings"], "an empty section is left out"
    assert page.text_of("a")[1:] == page.text_of("h2")
    assert page.count("img") == 1
    assert page.count("table") == 6
    assert "turned down: 3 points worse" in page.plain()


def test_a_page_shows_the_scores_of_the_metrics(tmp_path: Path) -> None:
    words = page_of(tmp_path / "report.html").plain()
    for row in metrics.score_rows(MODELS):
        for cell in row.cells():
            assert cell in words
    for metric in metrics.METRICS:
        for one in MODELS["blend"].engagements.values():
            for group in one.groups:
                assert metrics.format_value(getattr(group, metric), metric) in words
    assert all(name in words for name in schema.TARGETS)
    assert "300 held-out rows" in words
    assert "like, 3996+: no rows" in words


def test_the_best_of_each_row_is_marked(tmp_path: Path) -> None:
    page = page_of(tmp_path / "report.html", sections=SECTIONS[:1])
    marked = sum("class" in attributes for tag, attributes in page.elements if tag == "td")
    assert marked == sum(len(row.best()) for row in metrics.score_rows(MODELS))


def test_settings_are_shown_by_their_dotted_names(tmp_path: Path) -> None:
    words = page_of(tmp_path / "report.html").plain()
    for line in ("seed 20210", "none -", "yes yes", "list 1, 2", "network.epochs 2", "network.precision auto"):
        assert line.replace(" ", "") in words.replace(" ", "")


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    table = Table(HOSTILE, (HOSTILE, HOSTILE), [(Cell(HOSTILE, muted=True), Cell(HOSTILE, best=True))], folded=True)
    section = Section(HOSTILE, [Group(HOSTILE, [HOSTILE], [table], [Figure(HOSTILE, HOSTILE, PNG)])])
    page = page_of(
        tmp_path / "report.html",
        headline=Headline(HOSTILE, HOSTILE, {HOSTILE: HOSTILE}, HOSTILE),
        sections=[section],
        settings={HOSTILE: HOSTILE},
    )
    assert page.count("script") == 0
    assert page.count("img") == page.count("main") == 1
    assert [attributes["alt"] for tag, attributes in page.elements if tag == "img"] == [f"{HOSTILE}. {HOSTILE}"]
    assert not any("onerror" in attributes for _, attributes in page.elements)
    assert HOSTILE in "".join(page.words)


def test_the_same_report_has_the_same_bytes(tmp_path: Path) -> None:
    assert page_of(tmp_path / "a.html").text == page_of(tmp_path / "b.html").text


def test_a_report_without_sections_and_decision_is_whole(tmp_path: Path) -> None:
    constant = {"constant": scores()}
    page = page_of(tmp_path / "report.html", headline=headline(constant, ""), sections=[], settings={})
    assert page.text_of("h2") == ["Settings"]
    assert "predict from now on" not in page.plain()


@pytest.mark.parametrize(
    ("names", "main"),
    [
        (("network", "blend", "constant"), "blend"),
        (("constant",), "constant"),
        (("a", "b"), "b"),
        (("blend", "predicting", "constant"), "blend"),
    ],
)
def test_the_main_model_is_the_candidate(names: tuple[str, ...], main: str) -> None:
    assert main_model(dict.fromkeys(names, scores())) == main


def test_a_table_in_markdown_keeps_its_cells_apart() -> None:
    table = Table("Of a|b.", ("name", "x"), [("a|b", Cell("1", best=True)), ("c\nd", "\\")])
    assert table.to_markdown().split("\n") == [
        "| name | x |",
        "|---|---:|",
        r"| a\|b | 1 |",
        r"| c d | \\ |",
        "",
        r"Of a\|b.",
    ]
