"""Reads a plot's SVG as its readers see it: words, marks by their colour, and the places of points."""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass

SVG = "{http://www.w3.org/2000/svg}"
Point = tuple[float, float]


@dataclass(frozen=True)
class Panel:
    """The area between the axes of one plot; points are pixels from its upper left corner."""

    element: ET.Element

    @property
    def corner(self) -> Point:
        """The upper left corner, pixels of the paper."""
        return float(self.element.get("x", "")), float(self.element.get("y", ""))

    @property
    def size(self) -> Point:
        return float(self.element.get("width", "")), float(self.element.get("height", ""))

    def paths(self, css: str) -> list[ET.Element]:
        """The paths of a class, such as `line c0` or `fill c1`, in the order in which they are drawn."""
        return [path for path in self.element.iter(f"{SVG}path") if path.get("class") == css]


class Picture:
    """A plot; it must be an SVG that XML's own parser reads."""

    def __init__(self, svg: bytes) -> None:
        self.root = ET.fromstring(svg)
        assert self.root.tag == f"{SVG}svg"
        self.panels = [Panel(element) for element in self.root.findall(f"{SVG}svg")]

    @property
    def panel(self) -> Panel:
        (only,) = self.panels
        return only

    def texts(self) -> list[str]:
        """All words, in the order in which they are drawn."""
        return [text.text or "" for text in self.root.iter(f"{SVG}text")]

    def places(self, words: str) -> list[Point]:
        """Where these words are anchored: pixels from the upper left corner of the paper."""
        found = [text for text in self.root.iter(f"{SVG}text") if text.text == words]
        return [(float(text.get("x", "")), float(text.get("y", ""))) for text in found]


def points(path: ET.Element) -> list[Point]:
    """The corners of a line, or where each marker, range or level begins."""
    outline = path.get("d", "")
    if re.search("[a-zHV]", outline):
        return [numbers(start)[0] for start in re.findall("M([^a-zHV]+)", outline)]
    return numbers(outline)


def boxes(path: ET.Element) -> list[tuple[float, ...]]:
    """Left, bottom, right and top of each box of a path, pixels."""
    return [tuple(map(float, box)) for box in re.findall(r"M(\S+) (\S+?)H(.+?)V(.+?)H.+?z", split(path.get("d", "")))]


def split(outline: str) -> str:
    """Puts a space before each minus that ends a number without one."""
    return re.sub(r"(?<=\d)-", " -", outline)


def numbers(outline: str) -> list[Point]:
    """The points of `M1 2 3 4L5 6`."""
    found = [float(number) for number in re.findall(r"-?[\d.]+", outline)]
    return list(zip(found[::2], found[1::2], strict=True))
