"""What a person clicks: from the asset graph to one green part, in a headless Chromium."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engage_pipeline.catalogue import ARTIFACTS, Stage
from engage_pipeline.plots.figure import WIDTH
from engage_pipeline_tests.e2e.browser import ARROW, Browser, missing_programs, open_browser, tree_row
from engage_pipeline_tests.e2e.harness import Dev, wait_until

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]
ASSET, PART = "tweet_parts", "part-00001"
PLOT_WIDTH = "return document.querySelector('img[alt=\"label rates\"]')?.naturalWidth"
"""Of the plot in pixels; 0 if the browser can't read it, and null if it is not there."""


@pytest.fixture
def browser(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Browser]:
    """What the browser shows when a test ends is kept in the test's folder."""
    if missing_programs():
        pytest.skip("Debian's packages chromium and chromium-driver are not installed (.ci/run installs them)")
    with open_browser(tmp_path) as browser:
        try:
            yield browser
        finally:
            browser.driver.save_screenshot(str(tmp_path / f"{request.node.name}.png"))


def test_one_part_turns_green_by_clicking(dev: Dev, browser: Browser) -> None:
    wait_until(lambda: PART in dev.registered(), f"the partition {PART}")
    others = dev.materialized(ASSET) - {PART}
    assert PART not in dev.materialized(ASSET)

    browser.driver.get(f"{dev.url}/asset-groups")
    browser.read("Global asset lineage")
    for stage in Stage:
        node = f"//*[name()='foreignObject']//*[normalize-space(text())='{stage.value}']"
        browser.see(node)
        browser.click(f"{tree_row(stage.value)}//button[.//{ARROW}]")
        for name in (name for name, artifact in ARTIFACTS.items() if artifact.stage is stage):
            browser.see(tree_row(name))
        browser.click(f"{tree_row(stage.value)}//button[.//{ARROW}]")

    browser.click(f"{tree_row(Stage.INGEST.value)}//button[.//{ARROW}]")
    browser.click(f"{tree_row(ASSET)}//span")
    browser.click_button("View in Asset Catalog")
    browser.click_button("Partitions")
    browser.read(f"Materialized ({len(others)})")

    browser.click_button("Materialize")
    browser.read("Launch runs to materialize")
    browser.click("//*[contains(@class, 'TagSelector')][starts-with(normalize-space(.), 'Select a partition')]")
    browser.click(f"//*[@role='menuitem'][contains(., '{PART}')]")
    browser.click("//*[starts-with(normalize-space(text()), 'Launch runs to materialize')]")
    browser.click_button("Launch 1 run")

    browser.read(f"Materialized ({len(others) + 1})")
    row = f"//*[@data-tooltip='{PART}']"
    browser.see(f"{row}/following-sibling::*[contains(@style, 'green')]")
    browser.click(row)
    rows = dev.store().open(ASSET, PART).manifest.rows
    browser.read(f"dagster/partition_row_count\n{rows}\n")
    assert dev.materialized(ASSET) == others | {PART}

    browser.click("//*[normalize-space(text())='[Show Markdown]']")
    browser.until(lambda: browser.driver.execute_script(PLOT_WIDTH) == WIDTH, "the plot of the label rates")
