"""SVG text: names of data stay words, numbers are short, and what is too long is cut."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage_pipeline.plots import svg


def test_an_element_has_its_attributes_and_nothing_that_is_empty() -> None:
    root = ET.Element("svg")
    svg.add(root, "path", css="line", stroke_width=1.25, x=0, stroke_dasharray="", d="M0 0")
    assert svg.encode(root) == b'<svg><path class="line" stroke-width="1.2" x="0" d="M0 0" /></svg>'


@given(st.text())
def test_any_name_is_text_that_a_parser_reads(name: str) -> None:
    root = ET.Element("svg")
    svg.write(root, f"{name}.")
    (text,) = ET.fromstring(svg.encode(root))
    assert len(text) == 0
    shown = text.text or ""
    assert len(shown) == len(name) + 1
    assert all(one in {other, "\ufffd"} for one, other in zip(shown, f"{name}.", strict=True))


def test_names_are_escaped() -> None:
    root = ET.Element("svg")
    svg.write(root, "<script>alert('&')</script>\x00")
    assert b"<script" not in svg.encode(root)
    assert ET.fromstring(svg.encode(root))[0].text == "<script>alert('&')</script>\ufffd"


@pytest.mark.parametrize(
    ("value", "shown"), [(1, "1"), (1.26, "1.3"), (-0.04, "0"), (100.0, "100"), (-2.5, "-2.5"), ("7 3", "7 3")]
)
def test_numbers_have_one_decimal_at_most(value: str | float, shown: str) -> None:
    assert svg.number(value) == shown


def test_a_path_has_no_space_that_it_can_do_without() -> None:
    assert svg.path("M", 1, 2.25, "H", -3.04, -4, "z") == "M1 2.2H-3-4z"


def test_widths_count_letters_and_wide_letters() -> None:
    assert svg.width_of("") == 0
    assert svg.width_of("ab") == pytest.approx(2 * svg.width_of("a"))
    assert svg.width_of("東") > 1.5 * svg.width_of("a")


@given(st.text(max_size=40), st.integers(20, 200))
def test_what_is_cut_fits_and_says_so(text: str, width: int) -> None:
    shown = svg.shortened(text, width)
    assert svg.width_of(shown) <= width
    line = " ".join(text.split())
    assert shown == line or (shown.endswith("…") and line.startswith(shown[:-1]))
    if shown != line:
        assert svg.width_of(line[: len(shown)] + "…") > width, "no letter more would fit"


def test_lines_break_between_words_and_where_they_are_told_to() -> None:
    assert svg.wrapped("one two\nthree", svg.width_of("one two")) == ["one two", "three"]
    assert svg.wrapped("one two three", svg.width_of("one two")) == ["one two", "three"]
    assert svg.wrapped("", 100) == []
