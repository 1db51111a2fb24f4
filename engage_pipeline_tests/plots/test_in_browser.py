"""In a real browser, with real fonts, the words of every plot lie on the paper and not on each other."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from engage_pipeline_tests.e2e.browser import missing_programs, open_browser
from engage_pipeline_tests.plots.test_plots import DRAWN

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(missing_programs()), reason="chromium and chromium-driver are missing"),
]
PROBLEMS = """
const found = [];
const slack = 1;
for (const picture of document.querySelectorAll("body > svg")) {
  const paper = picture.getBoundingClientRect();
  const words = [...picture.querySelectorAll("text")].map(text => [text.textContent, text.getBoundingClientRect()]);
  for (const [i, [text, box]] of words.entries()) {
    if (box.left < paper.left || box.right > paper.right || box.top < paper.top || box.bottom > paper.bottom + slack)
      found.push(`${picture.id}: ${text} is cut`);
    for (const [other, its] of words.slice(i + 1))
      if (box.left + slack < its.right && its.left + slack < box.right
          && box.top + 3 * slack < its.bottom && its.top + 3 * slack < box.bottom)
        found.push(`${picture.id}: ${text} lies on ${other}`);
  }
}
return [document.querySelectorAll("body > svg").length, found];
"""


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    with open_browser(tmp_path) as browser:
        yield browser.driver


def test_no_words_are_cut_or_lie_on_others(driver: webdriver.Chrome, tmp_path: Path) -> None:
    shown = "".join(draw().decode().replace("<svg ", f'<svg id="{name}" ', 1) for name, draw in DRAWN.items())
    page = tmp_path / "plots.html"
    page.write_text(f"<!doctype html><meta charset=utf-8><body>{shown}", encoding="utf-8")
    driver.get(page.as_uri())
    count, problems = driver.execute_script(PROBLEMS)
    assert count == len(DRAWN)
    assert problems == []
