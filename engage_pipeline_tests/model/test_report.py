"""The report is one page that needs nothing else, and nothing that is put into it can break out of its place."""

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from engage_pipeline import metrics, plots, schema
from engage_pipeline.model.report import Figure, main_model, write_report

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>$title ${cards} </details></main> & ' {0} %s"
VOID = {"meta", "img", "wbr", "br", "link", "input"}


class Page(HTMLParser):
    """Elements and attributes of a page whose tags are all closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def scores(seed: int = 0) -> metrics.Scores:
    rng = np.random.default_rng(seed)
    labels = rng.random((300, 4)) < 0.3
    followers = rng.integers(0, 3000, 300)
    return metrics.score(labels, rng.random((300, 4)), followers, edges=(240, 588, 1331, 3996))


def figure(section: str = "like", caption: str = "A caption.") -> Figure:
    return Figure("A title", caption, plots.similarity_degrees({"1": 1, "2": 2}), section=section)


def page_of(path: Path, **changes: object) -> str:
    values = {
        "scores": {"network": scores(0), "blend": scores(1), "constant": scores(2)},
        "figures": [figure(), figure("Learning")],
        "summary": {"Data": {"rows": "1,234"}, "Settings": {"seed": 20210, "none": None, "yes": True, "list": [1, 2]}},
    }
    write_report(path, **(values | changes))  # type: ignore[arg-type]
    return path.read_text(encoding="utf-8")


def test_a_page_is_whole_and_needs_nothing_else(tmp_path: Path) -> None:
    text = page_of(tmp_path / "report.html")
    page = Page(text)
    assert not re.search(r"https?://|<script|@import|url\(|<link|<iframe|javascript:", text, re.IGNORECASE)
    assert page.count("h1") == 1
    tags = [tag for tag, _ in page.elements]
    assert tags[0] == "html"
    assert dict(page.elements)["html"] == {"lang": "en"}
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes)
        if tag == "img":
            kind, _, data = (attributes["src"] or "").partition(",")
            assert kind == "data:image/png;base64"
            assert base64.b64decode(data).startswith(b"\x89PNG")
            assert attributes["alt"] == "A title. A caption."
        if tag == "a":
            place = (attributes["href"] or "").removeprefix("#")
            assert any(others.get("id") == place for _, others in page.elements)
    assert page.count("img") == 2
    assert page.count("table") == page.count("caption") == 6
    assert all("scope" in attributes for tag, attributes in page.elements if tag == "th")
    assert "prefers-color-scheme: dark" in text


def test_a_page_shows_the_scores_of_the_metrics(tmp_path: Path) -> None:
    models = {"network": scores(0), "blend": scores(1), "constant": scores(2)}
    words = " ".join("".join(Page(page_of(tmp_path / "report.html")).words).split())
    for row in metrics.score_rows(models):
        for cell in row.cells():
            assert cell in words
    for metric in metrics.METRICS:
        for one in models["blend"].engagements.values():
            for group in one.groups:
                assert metrics.format_value(getattr(group, metric), metric) in words
    assert all(name in words for name in schema.TARGETS)
    assert "300 held-out rows" in words
    assert "like, 3996+: no rows" in words
    assert "20210" in words


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    text = page_of(
        tmp_path / "report.html",
        scores={HOSTILE: scores()},
        figures=[Figure(HOSTILE, HOSTILE, plots.similarity_degrees({"1": 1}), section=HOSTILE)],
        summary={HOSTILE: {HOSTILE: HOSTILE}},
    )
    page = Page(text)
    assert page.count("script") == 0
    assert page.count("img") == 1
    assert page.count("main") == 1
    assert [attributes["alt"] for tag, attributes in page.elements if tag == "img"] == [f"{HOSTILE}. {HOSTILE}"]
    assert not any("onerror" in attributes for _, attributes in page.elements)
    assert HOSTILE in "".join(page.words)


def test_the_same_report_has_the_same_bytes(tmp_path: Path) -> None:
    assert page_of(tmp_path / "a.html") == page_of(tmp_path / "b.html")


def test_a_report_without_figures_and_summary_is_whole(tmp_path: Path) -> None:
    Page(page_of(tmp_path / "report.html", figures=[], summary={}, scores={"constant": scores()}))


@pytest.mark.parametrize(
    ("names", "main"), [(("network", "blend", "constant"), "blend"), (("constant",), "constant"), (("a", "b"), "b")]
)
def test_the_main_model_is_the_last_that_is_not_constant(names: tuple[str, ...], main: str) -> None:
    assert main_model(dict.fromkeys(names, scores())) == main
