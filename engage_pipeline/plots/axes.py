"""What one plot shows: its axes, and marks in the units of the data.

What does not belong here: where all that is on the paper (figure).
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from engage_pipeline.plots.scales import Scale, Show, limits, plain_number
from engage_pipeline.plots.style import INK, Style
from engage_pipeline.plots.svg import path, shortened, width_of

Numbers = Sequence[float]
Pixels = NDArray[np.float64]
Attributes = dict[str, str | float]
Outline = Callable[[Scale, Scale], str]
"""Makes the commands of a path from the scales of x and y."""
Swatch = list[tuple[Attributes, str]]
"""What stands for a series in the legend: paths from its left end, SWATCH_WIDTH wide."""
SWATCH_WIDTH = 24
Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, right, bottom and top, in units of the data."""
_VISIBLE = 0.1
"""Height of a step, pixels."""
_LONGEST_NAME, _GAP = 110, 14
"""Of ticks with names, and between the words of ticks, pixels."""


@dataclass
class Axis:
    """One axis: its label, how its numbers are shown, its limits (None: those of the data), and its grid.

    `names` are the words at certain values, instead of numbers; `whole`: numbers are shown at whole values only.
    """

    label: str = ""
    show: Show = plain_number
    logarithmic: bool = False
    low: float | None = None
    high: float | None = None
    names: Mapping[float, str] = field(default_factory=dict)
    whole: bool = False
    grid: bool = True
    values: list[float] = field(default_factory=list)
    edge: float | None = None

    def scale(self, start: float, end: float) -> Scale:
        """Returns the scale of the axis between two pixels."""
        low, high = limits(self.values, logarithmic=self.logarithmic, edge=self.edge)
        low, high = (low if self.low is None else self.low), (high if self.high is None else self.high)
        return Scale(low, high, self.logarithmic, start, end)

    def ticks(self, scale: Scale, most: int) -> list[tuple[float, str]]:
        """Returns each tick with its words: all names, or at most `most` numbers."""
        return list(self.names.items()) or [(tick, self.show(tick)) for tick in scale.ticks(most, whole=self.whole)]

    def ticks_that_fit(self, scale: Scale) -> list[tuple[float, str]]:
        """Returns ticks whose words fit side by side: some of the names, or as many numbers as there is room for."""
        room = abs(scale.end - scale.start)
        if self.names:
            named = [(value, shortened(name, _LONGEST_NAME)) for value, name in self.names.items()]
            return named[:: math.ceil(len(named) * (max(width_of(name) for _, name in named) + _GAP) / room)]
        tried = (self.ticks(scale, most) for most in range(9, 1, -1))
        return next((ticks for ticks in tried if sum(width_of(name) + _GAP for _, name in ticks) <= room), [])


@dataclass(frozen=True)
class Mark:
    """A path of a plot; `on_right`: its y are those of the axis on the right."""

    outline: Outline
    attributes: Attributes
    on_right: bool = False


@dataclass(frozen=True)
class Note:
    """Words at a place of the data, `shift` pixels right of it; `upright`: around the middle of the height."""

    x: float
    y: float
    text: str
    shift: float = 0
    colour: str = INK
    upright: bool = False


class Axes:
    """One plot: two axes, perhaps a third on the right, marks, words, and what the legend says of the marks."""

    def __init__(self) -> None:
        """Starts an empty plot."""
        self.x, self.y = Axis(), Axis()
        self.right: Axis | None = None
        self.marks: list[Mark] = []
        self.notes: list[Note] = []
        self.keys: dict[str, Swatch] = {}
        self.reason = ""
        """Why there is nothing to draw, if so."""

    def line(self, points: Iterable[Point], style: Style, name: str = "", *, steps: bool = False) -> None:
        """Draws a line through points, broken where y is not finite; `steps`: y stays the same up to the next x."""
        xs, ys = self._spread(points := list(points))
        join = _staircase if steps else _polyline
        self._mark(lambda x, y: join(x(xs), y(ys)), _stroke(style), name, "h24")
        if style.marker:
            self.points(points, style, name)

    def points(self, points: Iterable[Point], style: Style, name: str = "", *, on_right: bool = False) -> None:
        """Draws the marker of `style` at each point."""
        xs, ys = self._spread(points, self.right if on_right else None)
        fill: Attributes = {"css": f"fill {style.colour}"}
        self._mark(lambda x, y: _repeated(x(xs), y(ys), style.marker), fill, name, f"m12 0{style.marker}", on_right)

    def ranges(self, xs: Numbers, lows: Numbers, highs: Numbers, style: Style, name: str = "", **more: str) -> None:
        """Draws an upright line at each x; `more`: further attributes, such as `opacity`."""
        self._spread([*zip(xs, lows, strict=True), *zip(xs, highs, strict=True)])

        def outline(x: Scale, y: Scale) -> str:
            ends = zip(x(xs), y(lows), y(highs), strict=True)
            return path(*chain.from_iterable(("M", at, low, "V", high) for at, low, high in ends))

        self._mark(outline, {**_stroke(style), **more}, name, "h24")

    def boxes(self, boxes: Sequence[Box], colour: str, name: str = "", **more: str) -> None:
        """Draws boxes of one colour, such as bars; `more`: further attributes. A 0 at which they end has no margin."""
        boxes = [box for box in boxes if all(map(math.isfinite, box))]
        lefts, rights, bottoms, tops = zip(*boxes, strict=True) if boxes else ((), (), (), ())
        self._spread([*zip(lefts, bottoms, strict=True), *zip(rights, tops, strict=True)])
        self.x.edge = self.y.edge = 0

        def outline(x: Scale, y: Scale) -> str:
            corners = zip(x(lefts), x(rights), y(bottoms), y(tops), strict=True)
            return path(*chain.from_iterable(("M", a, c, "H", b, "V", d, "H", a, "z") for a, b, c, d in corners))

        self._mark(outline, {"css": f"fill {colour}", **more}, name, "m5-5h14v10h-14z")

    def level(self, y: float, style: Style, name: str = "") -> None:
        """Draws a line across the whole width at `y`."""
        self.y.values.append(y)
        self._mark(lambda x, up: path("M", x.start, float(up(y)), "H", x.end), _stroke(style), name, "h24")

    def upright(self, x: float, style: Style) -> None:
        """Draws a line across the whole height at `x`."""
        self.x.values.append(x)
        self._mark(lambda at, y: path("M", float(at(x)), y.start, "V", y.end), _stroke(style))

    def _spread(self, points: Iterable[Point], vertical: Axis | None = None) -> tuple[list[float], list[float]]:
        """Makes the axes hold the points, and returns their x and y."""
        found = [(float(x), float(y)) for x, y in points]
        xs, ys = [x for x, _ in found], [y for _, y in found]
        self.x.values += xs
        (vertical or self.y).values += ys
        return xs, ys

    def _mark(
        self, outline: Outline, attributes: Attributes, name: str = "", swatch: str = "", on_right: bool = False
    ) -> None:
        """Adds a mark, and to the legend its `swatch`, if it has a name."""
        self.marks.append(Mark(outline, attributes, on_right))
        if name:
            self.keys.setdefault(name, []).append((attributes, swatch))


def _stroke(style: Style) -> Attributes:
    return {"css": f"line {style.colour}", "stroke_width": style.width, "stroke_dasharray": style.dashes}


def _polyline(xs: Pixels, ys: Pixels) -> str:
    parts: list[str | float] = []
    broken = True
    for x, y in zip(xs, ys, strict=True):
        if math.isfinite(y):
            parts += ("M", x, y) if broken else (x, y)
        broken = not math.isfinite(y)
    return path(*parts)


def _staircase(xs: Pixels, ys: Pixels) -> str:
    """Leaves out steps that are too low to be seen: curves of many points stay small."""
    level = ys[0]
    parts: list[str | float] = ["M", xs[0], level]
    for x, y in zip(xs, ys, strict=True):
        if abs(y - level) >= _VISIBLE:
            parts += ("H", x, "V", y)
            level = y
    return path(*parts, "H", xs[-1])


def _repeated(xs: Pixels, ys: Pixels, outline: str) -> str:
    found = ((x, y) for x, y in zip(xs, ys, strict=True) if math.isfinite(x + y))
    return "".join(path("M", x, y) + outline for x, y in found)
