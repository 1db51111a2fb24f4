"""SVG text: elements, numbers, and words with their estimated width.

What does not belong here: what a plot consists of (axes, figure). ElementTree escapes every name that comes from data.
"""

import re
import textwrap
import unicodedata
from xml.etree.ElementTree import Element, SubElement, tostring

NAMESPACE = "http://www.w3.org/2000/svg"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
FONT_SIZE, LINE, EDGE = 11, 15, 8
"""Height of letters and of a line of words, and the empty edge around what is drawn, pixels."""
_LETTER, _WIDE_LETTER = 0.6, 1.1
"""Width of a letter in font sizes: the mean over words in DejaVu Sans, the widest of FONT; and of Chinese letters."""
_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def add(parent: Element, tag: str, /, **attributes: str | float) -> Element:
    """Appends an element. In names of attributes `_` stands for `-`; `css` is the class; empty ones are left out."""
    shown = {name.replace("css", "class").replace("_", "-"): number(value) for name, value in attributes.items()}
    return SubElement(parent, tag, {name: value for name, value in shown.items() if value})


def write(parent: Element, words: str, tag: str = "text", /, **attributes: str | float) -> None:
    """Appends an element with words, if there are any; what XML can't hold becomes U+FFFD."""
    if words:
        add(parent, tag, **attributes).text = _NOT_XML.sub("\ufffd", words)


def number(value: str | float) -> str:
    """Formats a number of pixels with one decimal at most; text stays as it is."""
    return value if isinstance(value, str) else f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")


def path(*steps: str | float) -> str:
    """Joins the commands of a path and their numbers, as ("M", 1, 2.25) to `M1 2.3`."""
    return re.sub(r" ?([A-Za-z]) ?", r"\1", " ".join(number(step) for step in steps)).replace(" -", "-")


def encode(root: Element) -> bytes:
    """Returns the bytes of an SVG file."""
    return tostring(root, encoding="utf-8")


def width_of(text: str, size: float = FONT_SIZE) -> float:
    """Estimates the width of one line of text, pixels; rather too wide than too narrow."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return size * (_LETTER * (len(text) - wide) + _WIDE_LETTER * wide)


def shortened(text: str, width: float, size: float = FONT_SIZE) -> str:
    """Returns `text` on one line, cut to at most `width` pixels."""
    line = " ".join(text.split())
    if width_of(line, size) <= width:
        return line
    while line and width_of(line + "…", size) > width:
        line = line[:-1]
    return line + "…"


def wrapped(text: str, width: float) -> list[str]:
    """Returns the lines of `text`, each of at most `width` pixels unless a letter is wide."""
    letters = max(1, int(width / width_of("x")))
    return [line for part in text.splitlines() for line in textwrap.wrap(part, letters)]
