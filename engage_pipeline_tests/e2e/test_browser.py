"""What a person clicks: from the asset graph to one green part, in a headless Chromium."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from engage_pipeline.catalogue import ARTIFACTS, Stage
from engage_pipeline_tests.e2e.harness import DEADLINE, Dev, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1500)]
PROGRAMS = ("chromium", "chromedriver")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1600,1000",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
ASSET, PART = "tweet_parts", "part-00001"
ARROW = "*[@aria-label='arrow_drop_down']"


class Browser:
    """Finds things by what a person reads, and waits for them."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver
        self._wait = WebDriverWait(driver, DEADLINE, 0.3, [StaleElementReferenceException])

    def until(self, condition: Callable[[], object], what: str) -> None:
        try:
            self._wait.until(lambda _: condition())
        except TimeoutException as error:
            raise AssertionError(f"not to be seen: {what}; but:\n{self.text()}") from error

    def text(self) -> str:
        """What the page says."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    def read(self, words: str) -> None:
        """Waits until the page says so."""
        self.until(lambda: words in self.text(), words)

    def shown(self, path: str) -> list[WebElement]:
        """The elements of an XPath that can be seen now."""
        return [element for element in self.driver.find_elements(By.XPATH, path) if element.is_displayed()]

    def see(self, path: str) -> None:
        """Waits until an element of an XPath can be seen."""
        self.until(lambda: self.shown(path), path)

    def click(self, path: str) -> None:
        """Clicks on the first element of an XPath once it is there, and is not covered by another."""

        def clicked() -> bool:
            found = [element for element in self.shown(path) if element.is_enabled()]
            if not found or not self.driver.execute_script(NOT_COVERED, found[0]):
                return False
            found[0].click()
            return True

        self.until(clicked, path)

    def click_button(self, words: str) -> None:
        """Clicks on the button that begins so."""
        self.click(f"//*[self::button or self::a or @role='tab'][starts-with(normalize-space(.), '{words}')]")


NOT_COVERED = """
const box = arguments[0].getBoundingClientRect();
const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
return top !== null && (arguments[0].contains(top) || top.contains(arguments[0]));
"""


@pytest.fixture
def browser(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Browser]:
    """A browser that reaches this machine only. What it shows when a test ends is kept in the test's folder."""
    programs = [shutil.which(program) for program in PROGRAMS]
    if None in programs:
        pytest.skip("Debian's packages chromium and chromium-driver are not installed (.ci/run installs them)")
    options = webdriver.ChromeOptions()
    options.binary_location = str(programs[0])
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options, Service(str(programs[1]), log_output=str(tmp_path / "chromedriver.log")))
    try:
        yield Browser(driver)
    finally:
        driver.save_screenshot(str(tmp_path / f"{request.node.name}.png"))
        driver.quit()


def tree_row(name: str) -> str:
    """The row of a group or an asset in the tree beside the graph."""
    return f"//*[contains(@class, 'AssetSidebarNode_itemContainer')][.//span[normalize-space(.)='{name}']]"


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
