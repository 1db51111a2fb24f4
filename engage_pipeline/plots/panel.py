"""Puts one plot on the paper: the margins that its words need, grid, marks, axes and their labels."""

import math
from xml.etree.ElementTree import Element

from engage_pipeline.plots.axes import Axes, Axis
from engage_pipeline.plots.scales import Scale
from engage_pipeline.plots.style import GRID, INK, MUTED
from engage_pipeline.plots.svg import EDGE, FONT_SIZE, LINE, add, path, width_of, wrapped, write

_TICK_HEIGHT, _MIDDLE = 28, 0.36 * FONT_SIZE
"""Least distance of ticks above each other; how far the baseline of words lies below their middle. Pixels."""


class Panel:
    """One plot in a column of the paper from `left`, `width` wide; `height` is that between the axes. In pixels."""

    def __init__(self, root: Element, axes: Axes, left: float, top: float, width: float, height: float) -> None:
        """Chooses scales, ticks and margins."""
        self.root, self.axes, self.top, self.height = root, axes, top, height
        self.y = axes.y.scale(height, 0)
        self.y_ticks = axes.y.ticks(self.y, self._most())
        self.left = left + EDGE + _margin(axes.y, self.y_ticks)
        self.right_scale = axes.right.scale(height, 0) if axes.right else self.y
        self.right_ticks = axes.right.ticks(self.right_scale, self._most()) if axes.right else []
        self.right = left + width - 2 * EDGE - (_margin(axes.right, self.right_ticks) if axes.right else 0)
        self.x = axes.x.scale(0, self.right - self.left)
        self.x_ticks = axes.x.ticks_that_fit(self.x)
        self.middle, self.width = left + width / 2, width

    def draw(self) -> float:
        """Draws the plot; returns where it ends, pixels from the top of the paper."""
        if self.axes.reason:
            lines = wrapped(self.axes.reason, self.width - 4 * EDGE)
            self._words(lines, self.middle, self.top + self.height / 3, MUTED)
            return self.top + self.height * 2 / 3
        self._draw_marks()
        bottom = self.top + self.height
        add(self.root, "path", css=f"line {MUTED}", d=path("M", self.left, self.top, "V", bottom, "H", self.right))
        self._label_below(bottom + LINE)
        self._label_upright(self.axes.y, self.y_ticks, self.y, self.left - 5, -1)
        if self.axes.right:
            self._label_upright(self.axes.right, self.right_ticks, self.right_scale, self.right + 5, 1)
        lines = wrapped(self.axes.x.label, self.width - 2 * EDGE)
        fits = max(map(width_of, lines), default=0) < self.right - self.left
        self._words(lines, (self.left + self.right) / 2 if fits else self.middle, bottom + 2 * LINE + 2)
        return bottom + LINE * (1 + len(lines)) + EDGE

    def _draw_marks(self) -> None:
        """Draws grid and marks in an SVG of their own, which cuts what reaches beyond the axes, and notes."""
        inner = add(self.root, "svg", x=self.left, y=self.top, width=self.x.end, height=self.height)
        for value, _ in self.x_ticks if self.axes.x.grid else ():
            add(inner, "path", css=f"line {GRID}", d=path("M", float(self.x(value)), 0, "V", self.height))
        for value, _ in self.y_ticks if self.axes.y.grid else ():
            add(inner, "path", css=f"line {GRID}", d=path("M", 0, float(self.y(value)), "H", self.x.end))
        for mark in self.axes.marks:
            outline = mark.outline(self.x, self.right_scale if mark.on_right else self.y)
            add(inner, "path", d=outline, **mark.attributes)
        for note in self.axes.notes:
            x, y = self.left + float(self.x(note.x)), self.top + float(self.y(note.y))
            if note.upright:
                self._write_upright(note.text, x, self.top + self.height / 2, note.colour)
            else:
                write(self.root, note.text, css=note.colour, x=x + note.shift, y=y + _MIDDLE)

    def _most(self) -> int:
        return max(2, math.ceil(self.height / _TICK_HEIGHT))

    def _words(self, lines: list[str], x: float, y: float, colour: str = INK) -> None:
        for place, line in enumerate(lines):
            write(self.root, line, css=colour, x=x, y=y + LINE * place, text_anchor="middle")

    def _label_below(self, y: float) -> None:
        """Writes ticks below the plot, within its column: the last ones are moved left where they would be cut, or are
        left out where they would then touch the words before."""
        taken = -math.inf
        for value, name in self.x_ticks:
            at, half = self.left + float(self.x(value)), width_of(name) / 2
            x = min(at, self.middle + self.width / 2 - half)
            if x == at or x - half > taken:
                self._words([name], x, y)
                taken = x + half

    def _label_upright(self, axis: Axis, ticks: list[tuple[float, str]], scale: Scale, x: float, side: int) -> None:
        """Writes ticks beside a vertical axis and its label beyond them; `side`: -1 is left of it, 1 right."""
        for value, name in ticks:
            y = self.top + float(scale(value)) + _MIDDLE
            write(self.root, name, css=INK, x=x, y=y, text_anchor="start" if side > 0 else "end")
        far = x + side * (_margin(axis, ticks) - LINE / 2)
        self._write_upright(axis.label, far, self.top + self.height / 2, INK)

    def _write_upright(self, words: str, x: float, y: float, colour: str) -> None:
        turned = f"rotate(-90 {x:.1f} {y:.1f})"
        write(self.root, words, css=colour, x=x, y=y + _MIDDLE, text_anchor="middle", transform=turned)


def _margin(axis: Axis, ticks: list[tuple[float, str]]) -> float:
    """Returns the width of the words beside a vertical axis, pixels."""
    return max((width_of(name) for _, name in ticks), default=0) + 5 + (LINE + 3 if axis.label else 0)
