"""docs/settings.md is the page that the settings model makes."""

from pathlib import Path

from engage_pipeline.settings.reference_page import settings_markdown


def test_the_page_in_docs_is_current() -> None:
    page = Path(__file__).parents[2] / "docs" / "settings.md"
    assert page.read_text(encoding="utf-8").rstrip() == settings_markdown().rstrip()


def test_a_row_shows_type_limits_default_and_presets() -> None:
    row = next(line for line in settings_markdown().splitlines() if line.startswith("| `network.batch_size`"))
    assert "integer (≥ 2)" in row
    assert "`512`" in row
    assert "synerise: `256`" in row
