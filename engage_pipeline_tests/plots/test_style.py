"""Plots are legible on light and dark paper, and travel in pages and Markdown as data."""

import base64
import re

import pytest

from engage_pipeline import plots
from engage_pipeline.plots import style
from engage_pipeline_tests.colours import contrast
from engage_pipeline_tests.worlds import REPOSITORY

SVG = plots.similarity_degrees({"1": 1, "2": 2})


@pytest.mark.parametrize("scheme", [0, 1])
def test_words_stand_out_from_the_paper(scheme: int) -> None:
    paper = style.COLOURS["paper"][scheme]
    assert contrast(style.COLOURS["ink"][scheme], paper) >= 7
    assert contrast(style.COLOURS["muted"][scheme], paper) >= 4.5
    assert all(contrast(style.COLOURS[name][scheme], paper) >= 2 for name in style.PALETTE)


def test_each_colour_is_in_both_schemes() -> None:
    light, dark = style.stylesheet().split("@media(prefers-color-scheme:dark)")
    for name, (one, other) in style.COLOURS.items():
        assert f".{name}{{color:{one}}}" in light
        assert f".{name}{{color:{other}}}" in dark


def test_paper_ink_and_lines_are_those_of_the_report() -> None:
    css = (REPOSITORY / "engage_pipeline/model/evaluation/templates/style.css").read_text(encoding="utf-8")
    light, dark = css.split("@media (prefers-color-scheme: dark)")[:2]
    for name, variable in (("paper", "paper"), ("ink", "ink"), ("muted", "muted"), ("grid", "line")):
        assert f"--{variable}: {style.COLOURS[name][0]};" in light
        assert f"--{variable}: {style.COLOURS[name][1]};" in dark


def test_series_differ_by_more_than_colour_and_the_constant_is_grey() -> None:
    shown = [style.style_of(name, index) for index, name in enumerate("abcdef")]
    assert len({one.colour for one in shown}) == len({one.marker for one in shown}) == 6
    assert len({one.dashes for one in shown[:4]}) == 4
    assert style.style_of("constant", 3) == style.style_of("constant", 0)
    assert style.style_of("constant", 0).colour == "muted"


def test_markdown_holds_the_picture_and_nothing_breaks_out_of_its_words() -> None:
    markdown = plots.as_markdown(SVG, "a](x)\n")
    found = re.fullmatch(r"!\[([^\[\]()\n]*)\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", markdown)
    assert found
    assert base64.b64decode(found[2]) == SVG


def test_the_size_is_that_of_the_picture() -> None:
    width, height = plots.size_of(SVG)
    assert f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'.encode() in SVG
