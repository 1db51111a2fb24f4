"""The report is one page that needs nothing else, and nothing that is put into it can break out of its place."""

from pathlib import Path

import numpy as np
import pytest

from engage_pipeline import metrics, plots, schema
from engage_pipeline.model.evaluation.cost_section import Made
from engage_pipeline.model.evaluation.history_section import ModelHistory, PastModel
from engage_pipeline.model.evaluation.pipeline_section import PipelineFacts
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
from engage_pipeline.model.evaluation.scores_section import (
    group_tables,
    headline,
    main_model,
    reported_model,
    slices_section,
    summary_section,
)
from engage_pipeline.model.evaluation.slices import Slice, SliceScore, Slicing
from engage_pipeline_tests.model.evaluation.report_pages import Page, assert_whole

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>$title ${cards} </details></main> & ' {0} %s"
SVG = plots.similarity_degrees({"1": 1, "2": 2})
SETTINGS = {"seed": 20210, "none": None, "yes": True, "list": [1, 2], "network": {"epochs": 2, "precision": "auto"}}


def scores(seed: int = 0) -> metrics.Scores:
    rng = np.random.default_rng(seed)
    labels = rng.random((300, 4)) < 0.3
    followers = rng.integers(0, 3000, 300)
    return metrics.score(labels, rng.random((300, 4)), followers, edges=(240, 588, 1331, 3996))


NOTHING = PipelineFacts()
CODE = "engage_pipeline 9.9, version 0f0f"
HISTORY = ModelHistory("turned down: 3 points worse")
MODELS = {"network": scores(0), "blend": scores(1), "constant": scores(2)}
SECTIONS = [
    summary_section(MODELS, table_of("The rows.", [("holdout rows", "1,234")])),
    Section("Empty", [Group("Nothing")]),
    Section("Figures", [Group(figures=[Figure("A title", "A caption.", SVG)]), Group("More", ["A line."])]),
    Section("Quality", [Group("By group", tables=group_tables(MODELS))]),
]


def page_of(path: Path, **changes: object) -> Page:
    values = {"headline": headline(MODELS, HISTORY, NOTHING), "sections": SECTIONS, "settings": SETTINGS}
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
    assert "left out of the means: 3996+: no rows." in words


def test_the_best_of_each_row_is_marked(tmp_path: Path) -> None:
    page = page_of(tmp_path / "report.html", sections=SECTIONS[:1])
    marked = sum("class" in attributes for tag, attributes in page.elements if tag == "td")
    assert marked == sum(len(row.best()) for row in metrics.score_rows(MODELS))


def test_settings_are_shown_by_their_dotted_names(tmp_path: Path) -> None:
    words = page_of(tmp_path / "report.html").plain()
    for line in ("seed 20210", "none -", "yes yes", "list 1, 2", "network.epochs 2", "network.precision auto"):
        assert line.replace(" ", "") in words.replace(" ", "")


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    cells = Cell(HOSTILE, muted=True), Cell(HOSTILE, best=True), Cell(HOSTILE, words=True, note=HOSTILE)
    table = Table(HOSTILE, (HOSTILE, HOSTILE, HOSTILE), [cells], folded=True)
    section = Section(HOSTILE, [Group(HOSTILE, [HOSTILE], [table], [Figure(HOSTILE, HOSTILE, SVG)])])
    page = page_of(
        tmp_path / "report.html",
        headline=Headline(HOSTILE, HOSTILE, {HOSTILE: Cell(HOSTILE)}, HOSTILE, {HOSTILE: HOSTILE}),
        sections=[section],
        settings={HOSTILE: HOSTILE},
    )
    assert page.count("script") == 0
    assert page.count("img") == page.count("main") == 1
    assert [attributes["alt"] for tag, attributes in page.elements if tag == "img"] == [f"{HOSTILE}. {HOSTILE}"]
    assert not any("onerror" in attributes for _, attributes in page.elements)
    assert "".join(page.words).count(HOSTILE) == 23


def test_a_hostile_language_stays_a_name(tmp_path: Path) -> None:
    slicing = Slicing("language", (Slice("<script>alert(1)</script>", 12, (SliceScore(0.5),) * 4),))
    page = page_of(tmp_path / "report.html", sections=[slices_section("<b>blend</b>", [slicing])])
    assert_whole(page)
    assert page.count("script") == page.count("b") == 0
    assert "<script>alert(1)</script>" in page.text_of("th")
    assert any(text.startswith("Model <b>blend</b>. RCE") for text in page.text_of("p"))


def test_a_slice_shows_its_rows_scores_and_shares(tmp_path: Path) -> None:
    scores = SliceScore(0.25, 0.5, 12.346, 1.5), SliceScore(0.01), SliceScore(0.0), SliceScore(1.0)
    section = slices_section("blend", [Slicing("language", (Slice("en", 1200, scores),))])
    page = page_of(tmp_path / "report.html", sections=[section])
    assert page.text_of("td")[:5] == ["1,200", "12.35 ± 1.50", "-", "-", "-"]
    assert [text for text in page.text_of("span") if "chance" in text] == [
        "AP 0.5000, chance 0.2500",
        "chance 0.0100",
        "chance 0.0000",
        "chance 1.0000",
    ]


def test_the_live_model_comes_first_with_its_versions(tmp_path: Path) -> None:
    models = {"network": MODELS["network"], "predicting": MODELS["blend"], "constant": MODELS["constant"]}
    assert (main_model(models), reported_model(models), reported_model(MODELS)) == ("network", "predicting", "blend")
    history = ModelHistory("turned down", models=[PastModel("abc123", "2021-03-04 05:06 UTC", 12.0, True, code=CODE)])
    created = "2021-03-05T06:07:08+00:00"
    known = [
        Made("tweet_parts", "parts1", "6", created, 1000, 1.0, 1, 4),
        Made("validation_tweets", "valid1", "6", created, 500, 1.0, 1),
        Made("candidate_model", "cand1", "4", created, None, 1.0, 1),
    ]
    facts = PipelineFacts(made=known)
    top = headline(models, history, facts)
    assert next(iter(top.cards.values())).text == metrics.format_value(MODELS["blend"].overall_mean.ap, "ap")
    assert top.identity["Model"] == "abc123, predicts since 2021-03-04 05:06 UTC"
    assert top.identity["Candidate"] == "cand1, made 2021-03-05 06:07 UTC"
    assert top.identity["Data"] == (
        "1,000 training rows in 4 parts, version parts1; 500 validation rows, version valid1"
    )
    assert top.identity["Code"].startswith(f"{CODE} (a digest of the code versions of ")
    summary = summary_section(models, table_of("The rows.", []))
    assert summary.groups[0].tables[0].columns == ("engagement", "predicting", "network", "constant")
    assert headline(MODELS, HISTORY, NOTHING).identity == {"Model": "none predicts"}
    page = page_of(tmp_path / "report.html", headline=top)
    assert page.text_of("dt")[:4] == ["Model", "Candidate", "Data", "Code"]
    assert "Means over the engagements, the model that predicts:" in page.plain()


def test_the_same_report_has_the_same_bytes(tmp_path: Path) -> None:
    assert page_of(tmp_path / "a.html").text == page_of(tmp_path / "b.html").text


def test_a_report_without_sections_and_decision_is_whole(tmp_path: Path) -> None:
    constant = {"constant": scores()}
    page = page_of(
        tmp_path / "report.html", headline=headline(constant, ModelHistory(), NOTHING), sections=[], settings={}
    )
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
