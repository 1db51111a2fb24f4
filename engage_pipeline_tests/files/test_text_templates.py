import pytest
from jinja2 import UndefinedError

from engage_pipeline.files.text_templates import cell, text_template


def test_a_value_stands_in_the_text_as_it_is_and_a_missing_one_is_an_error() -> None:
    template = text_template("engage_pipeline.language", "encoder_card.md")
    assert template.environment.from_string("a {{ b }}\n").render(b="<c> & 'd'") == "a <c> & 'd'\n"
    with pytest.raises(UndefinedError):
        template.render()


def test_a_cell_has_no_markup_and_no_second_line() -> None:
    assert cell("a|b\n<b>  `c` é") == "a\\|b \\<b\\> \\`c\\` é"
    assert cell("TopLevel 5 to 9") == "TopLevel 5 to 9"
