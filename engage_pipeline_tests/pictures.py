"""The pictures of docs/, taken of a small demo world: `python -m engage_pipeline_tests.pictures`.

It makes the world as `engage run` does, opens `dagster dev` on it, and photographs graph, part, asset and report in a
headless Chromium. Needs Debian's packages chromium and chromium-driver; takes some minutes.
"""

import argparse
import base64
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from PIL import Image
from selenium.webdriver import Keys
from selenium.webdriver.common.action_chains import ActionChains

from engage_pipeline.catalogue import ARTIFACTS, Stage
from engage_pipeline.settings.settings import CONFIG_VARIABLE
from engage_pipeline.synthetic import synthesize
from engage_pipeline_tests import worlds
from engage_pipeline_tests.e2e.browser import Browser, missing_programs, open_browser
from engage_pipeline_tests.e2e.harness import Dev, development

ROWS, USERS, PARTS = 60_000, 6_000, 4
PART = "part-00001"
GRAPH_SIZE, PAGE_SIZE, REPORT_SIZE = (2200, 3300), (1700, 860), (1200, 1360)
"""Of the window, in CSS pixels: width and height."""
GRAPH_NODE = "//*[name()='foreignObject']//*[normalize-space(text())='{}']"
_NODES = "const nodes = [...document.querySelectorAll('foreignObject')];"
GREEN_NODES = f"""{_NODES}
const isGreen = element => {{
  const [red, green] = getComputedStyle(element).backgroundColor.match(/\\d+/g).map(Number);
  return green > red + 5;
}};
return nodes.filter(node => [...node.querySelectorAll('*')].some(isGreen)).length;
"""
"""How many assets of the graph are shown as made."""
HIDE_CONTROLS = """
let controls = document.querySelector("[aria-label='zoom_in']");
while (!controls.parentElement.querySelector('foreignObject')) controls = controls.parentElement;
controls.style.display = 'none';
"""
AROUND_THE_GRAPH = f"""{_NODES}
const all = nodes.map(node => node.getBoundingClientRect());
const x = Math.min(...all.map(one => one.left)) - 20, y = Math.min(...all.map(one => one.top)) - 20;
const right = Math.max(...all.map(one => one.right)) + 20, bottom = Math.max(...all.map(one => one.bottom)) + 20;
return {{x: x, y: y, width: right - x, height: bottom - y, scale: 1}};
"""
COLOURS = 128
"""Of a picture: enough for text and lines, at a third of the bytes."""


def make_world(folder: Path) -> None:
    """Raw parts, settings and every artifact, with the events of the run in the Dagster instance of `folder`."""
    synthesize(folder / "raw", rows=ROWS, users=USERS, parts=PARTS, seed=1)
    shutil.copy(worlds.REPOSITORY / "dagster.yaml", folder)
    places = {name: worlds.TINY[name] for name in ("recsys_data", "validation_part", "test_data")}
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump({"preset": "demo", **places}), encoding="utf-8")
    environment = {**os.environ, "DAGSTER_HOME": str(folder), CONFIG_VARIABLE: str(config)}
    engage = str(Path(sys.executable).with_name("engage"))
    subprocess.run([engage, "run"], env=environment, cwd=folder, check=True)


def resize(browser: Browser, size: tuple[int, int]) -> None:
    """The window's width and height."""
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def photograph(browser: Browser, path: Path, **options: Any) -> None:
    """What the window shows as a PNG file; `options` are those of Chromium's Page.captureScreenshot."""
    picture = browser.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", **options})
    with Image.open(io.BytesIO(base64.b64decode(picture["data"]))) as image:
        image.convert("RGB").quantize(COLOURS).save(path, optimize=True)


def photograph_graph(browser: Browser, url: str, path: Path) -> None:
    """The graph with all groups open and every asset green, and nothing else."""
    resize(browser, GRAPH_SIZE)
    browser.driver.get(f"{url}/asset-groups")
    browser.see(GRAPH_NODE.format(Stage.SUBMISSION))
    ActionChains(browser.driver).key_down(Keys.ALT).send_keys("e").key_up(Keys.ALT).perform()
    browser.until(lambda: browser.driver.execute_script(GREEN_NODES) == len(ARTIFACTS), "every asset green")
    browser.driver.execute_script(HIDE_CONTROLS)
    photograph(browser, path, clip=browser.driver.execute_script(AROUND_THE_GRAPH))


def take_pictures(dev: Dev, browser: Browser, out: Path) -> None:
    """The four PNG files in `out`."""
    photograph_graph(browser, dev.url, out / "asset-graph.png")
    resize(browser, PAGE_SIZE)
    browser.driver.get(f"{dev.url}/assets/tweet_parts?view=partitions&partition={PART}")
    browser.read("dagster/partition_row_count")
    photograph(browser, out / "partition.png")
    browser.driver.get(f"{dev.url}/assets/evaluation?view=overview")
    browser.read("precision and recall")
    for words in ("Passing", "Latest check results", "seconds ago"):  # the page's status comes last
        browser.read(words)
    photograph(browser, out / "evaluation.png")
    resize(browser, REPORT_SIZE)
    browser.driver.get(dev.store().open("evaluation").path("report.html").as_uri())
    browser.read("Engagement prediction")
    photograph(browser, out / "report.png")


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m engage_pipeline_tests.pictures", description=__doc__)
    parser.add_argument("--out", type=Path, default=worlds.REPOSITORY / "docs", help="[default: %(default)s]")
    options = parser.parse_args(arguments)
    if missing := missing_programs():
        parser.error(f"not installed: {', '.join(missing)}")
    with tempfile.TemporaryDirectory(prefix="engage-pictures-") as name:
        folder = Path(os.path.realpath(name))
        make_world(folder)
        with development(folder) as dev, open_browser(folder) as browser:
            take_pictures(dev, browser, options.out)


if __name__ == "__main__":
    main(sys.argv[1:])
