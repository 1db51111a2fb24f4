"""The visual style of all plots: colours for colour-blind readers too, on light and dark paper, dashes and markers."""

import base64
import re
from dataclasses import dataclass, replace

from engage_pipeline.plots.svg import FONT, FONT_SIZE

COLOURS = {
    "paper": ("#ffffff", "#14171a"),
    "ink": ("#1d2125", "#e4e7ea"),
    "muted": ("#5d6670", "#a1aab3"),
    "grid": ("#dfe3e7", "#343a40"),
    "c0": ("#0072b2", "#3c9fdd"),
    "c1": ("#d55e00", "#ee7d2b"),
    "c2": ("#009e73", "#19b78c"),
    "c3": ("#cc79a7", "#d98bb6"),
    "c4": ("#e69f00", "#e69f00"),
    "c5": ("#56b4e9", "#8acdf5"),
}
"""Colours on light and on dark paper, by CSS class. c0 to c5 are Okabe and Ito's, lighter on dark paper, in an order
that keeps neighbours distinct for colour-blind readers too. Paper, ink and lines are those of the report."""
PAPER, INK, MUTED, GRID, PALETTE = "paper", "ink", "muted", "grid", ("c0", "c1", "c2", "c3", "c4", "c5")
CONSTANT = "constant"
_DASHES = ("", "7 3", "8 3 2 3", "2 2.5", "", "7 3")
CIRCLE, SQUARE, DIAMOND = (
    "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z",
    "m-2.7-2.7h5.4v5.4h-5.4z",
    "m0-3.7l3.7 3.7-3.7 3.7-3.7-3.7z",
)
_MARKERS = (CIRCLE, SQUARE, "m0-3.6l3.6 6.2h-7.2z", DIAMOND, "m0 3.6l3.6-6.2h-7.2z", "m-3.5-1h7v2h-7zm2.5-2.5h2v7h-2z")
DASH = "m-5-0.8h10v1.6h-10z"
_CROSS = "m-3.3-2.3l1-1 5.6 5.6-1 1zm5.6-1l1 1-5.6 5.6-1-1z"


@dataclass(frozen=True)
class Style:
    """How one series is drawn: its CSS class of COLOURS, its dashes, and its marker as a path around a point."""

    colour: str
    dashes: str = ""
    marker: str = ""
    width: float = 1.6

    def without_marker(self) -> "Style":
        """Returns the style of a line with so many points that markers would hide it."""
        return replace(self, marker="")


THIN = Style(MUTED, width=0.8)
"""Of lines to compare with, such as a diagonal."""


def style_of(name: str, index: int) -> Style:
    """Returns the style of the series `name`, the index-th of a plot. The constant is always grey."""
    if name == CONSTANT:
        return Style(MUTED, _DASHES[3], _CROSS)
    place = index % len(PALETTE)
    return Style(PALETTE[place], _DASHES[place], _MARKERS[place])


def stylesheet() -> str:
    """Returns the CSS of a plot, which follows the reader's light or dark scheme."""
    light, dark = ("".join(f".{name}{{color:{both[i]}}}" for name, both in COLOURS.items()) for i in (0, 1))
    shapes = "text,.fill{fill:currentColor}.line{fill:none;stroke:currentColor}"
    words = f"text{{font:{FONT_SIZE}px {FONT}}}.title{{font-size:13px;font-weight:600}}"
    return f"{words}{shapes}{light}@media(prefers-color-scheme:dark){{{dark}}}"


def as_data_uri(svg: bytes) -> str:
    """Returns the SVG as a `data:` address, which a page can show without loading anything."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode('ascii')}"


def as_markdown(svg: bytes, alt: str = "plot") -> str:
    """Returns the SVG as a Markdown image, for Dagster's metadata. `alt` describes it to readers who don't see it."""
    words = "".join(" " if letter in "[]()\\\n\r" else letter for letter in alt)
    return f"![{words}]({as_data_uri(svg)})"


def size_of(svg: bytes) -> tuple[int, int]:
    """Returns width and height of a plot, pixels."""
    width, height = re.findall(rb'(?:width|height)="(\d+)"', svg)[:2]
    return int(width), int(height)
