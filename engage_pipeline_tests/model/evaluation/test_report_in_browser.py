"""The report in a real browser: it fits a phone, loads nothing, and is legible in light and dark."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver import Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.remote.webelement import WebElement

from engage_pipeline import plots
from engage_pipeline.model.evaluation.report import Cell, Figure, Group, Headline, Section, Table, write_report
from engage_pipeline_tests import worlds
from engage_pipeline_tests.colours import contrast, luminance

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not (CHROMIUM.exists() and DRIVER.exists()), reason="chromium and chromium-driver are missing"),
]
WIDTHS = (390, 1280)
LEAST_PLOT, MOST_PLOT = 480, 640
"""Width of a plot, CSS pixels, however narrow or wide the screen is."""
LEAST_CONTRAST = 4.5
"""Of text, as WCAG 2.2 asks at level AA."""
COLOURS = """
const chosen = "h1, h2, p, .muted, .note, caption, figcaption, nav a, td.best, dt, dd";
return [document.body, ...document.querySelectorAll(chosen)].map(element => {
  let behind = element;
  while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)" && behind.parentElement)
    behind = behind.parentElement;
  return [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor];
});
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def report(finished_world: Path) -> str:
    return worlds.store_of(finished_world / "config.yaml").open("evaluation").path("report.html").as_uri()


def show(browser: webdriver.Chrome, report: str, *, width: int = 1200, scheme: str = "light") -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(report)


def assert_fits(browser: webdriver.Chrome, width: int) -> None:
    needed, seen = browser.execute_script(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert needed == seen <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_is_as_wide_as_the_screen(browser: webdriver.Chrome, report: str, width: int, scheme: str) -> None:
    show(browser, report, width=width, scheme=scheme)
    browser.execute_script("for (const details of document.querySelectorAll('details')) details.open = true")
    assert_fits(browser, width)
    sizes = browser.execute_script("return [...document.images].map(image => [image.naturalWidth, image.width])")
    assert sizes
    assert all(real for real, _ in sizes), "each plot can be read"
    assert all(LEAST_PLOT <= shown <= MOST_PLOT for _, shown in sizes), "labels stay legible; a plot scrolls in its box"


def test_long_words_break_on_a_phone(browser: webdriver.Chrome, tmp_path: Path) -> None:
    long = "/a/very/long/path/" + "x" * 300
    cells = [Cell(long), Cell(long, words=True), Cell("1", note=long)]
    section = Section(long, [Group(long, [long], [Table(long, [long] * 3, [cells])])])
    top = Headline(long, long, {long: Cell(long, note=long)}, long, {long: long})
    write_report(tmp_path / "report.html", headline=top, sections=[section], settings={})
    show(browser, (tmp_path / "report.html").as_uri(), width=390)
    assert_fits(browser, 390)


def wide_report(folder: Path) -> str:
    """A report with a table and a plot, both wider than a phone; the plot is the last image."""
    svg = plots.similarity_degrees({"1": 1, "2": 2})
    table = Table("Many columns.", [f"column {i}" for i in range(12)], [["a"] + ["1.2345"] * 11])
    group = Group("Group", tables=[table], figures=[Figure("Title", "Some words of a caption.", svg)])
    top = Headline("line", "", {"card": Cell("1")}, "about")
    write_report(folder / "report.html", headline=top, sections=[Section("Section", [group])], settings={})
    return (folder / "report.html").as_uri()


def edge(browser: webdriver.Chrome, box: WebElement) -> tuple[int, ...]:
    """The colour of the pixel at the right edge of the upper end of a box, where neither words nor a scroll bar are."""
    with Image.open(io.BytesIO(box.screenshot_as_png)) as image:
        return image.convert("RGB").getpixel((image.width - 2, 3))  # type: ignore[return-value]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["scroll", "plot"])
def test_what_scrolls_has_a_shade_until_its_end(
    browser: webdriver.Chrome, tmp_path: Path, kind: str, scheme: str
) -> None:
    show(browser, wide_report(tmp_path), width=390, scheme=scheme)
    assert_fits(browser, 390)
    assert browser.execute_script("return document.images[0].width") == LEAST_PLOT
    box = browser.find_element("class name", kind)
    page = edge(browser, browser.find_element("tag name", "figcaption"))
    assert sum(abs(a - b) for a, b in zip(edge(browser, box), page, strict=True)) > 60
    browser.execute_script("arguments[0].scrollLeft = 9999", box)
    assert edge(browser, box) == page
    show(browser, browser.current_url, width=1280, scheme=scheme)
    assert edge(browser, browser.find_element("class name", "plot")) == page, "a plot is no box of another shade"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_plot_has_the_paper_of_the_page(browser: webdriver.Chrome, tmp_path: Path, scheme: str) -> None:
    show(browser, wide_report(tmp_path), width=1280, scheme=scheme)
    page = edge(browser, browser.find_element("tag name", "figcaption"))
    assert (page[0] < 50) == (scheme == "dark")
    assert edge(browser, browser.find_element("tag name", "img")) == page


def test_a_page_loads_nothing(browser: webdriver.Chrome, report: str) -> None:
    browser.get_log("performance")
    show(browser, report)
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    loaded = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert [url for url in loaded if not url.startswith("data:")] == [report]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_the_page(browser: webdriver.Chrome, report: str, scheme: str) -> None:
    show(browser, report, scheme=scheme)
    pairs = {tuple(pair) for pair in browser.execute_script(COLOURS)}
    assert len(pairs) > 2
    assert all(contrast(*pair) >= LEAST_CONTRAST for pair in pairs), pairs
    (_, page), *_ = browser.execute_script(COLOURS)
    assert (luminance(page) < 0.1) == (scheme == "dark")


def test_the_first_key_leads_past_the_contents(browser: webdriver.Chrome, report: str) -> None:
    show(browser, report)
    ActionChains(browser).send_keys(Keys.TAB).perform()
    focused = browser.switch_to.active_element
    assert focused.text == "To the content"
    assert focused.rect["x"] >= 0
