"""A headless Chromium that reaches this machine only, and what a person reads and clicks in it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from engage_pipeline_tests.e2e.harness import DEADLINE

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


def missing_programs() -> list[str]:
    """Those of Debian's packages chromium and chromium-driver that are not installed."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


@contextmanager
def open_browser(folder: Path) -> Iterator[Browser]:
    """A browser that keeps its profile and its log in `folder`."""
    chromium, driver_program = (str(shutil.which(program)) for program in PROGRAMS)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options, Service(driver_program, log_output=str(folder / "chromedriver.log")))
    try:
        yield Browser(driver)
    finally:
        driver.quit()


def tree_row(name: str) -> str:
    """The row of a group or an asset in the tree beside the graph."""
    return f"//*[contains(@class, 'AssetSidebarNode_itemContainer')][.//span[normalize-space(.)='{name}']]"
