"""Plots the drift of the features by part."""

from collections.abc import Mapping
from itertools import groupby

from engage_pipeline.plots.axes import Axes, Axis, Box
from engage_pipeline.plots.bars import BAR_HEIGHT, row_names
from engage_pipeline.plots.figure import draw
from engage_pipeline.plots.scales import plain_number
from engage_pipeline.plots.style import INK, PALETTE, Style

_LEAST_SHOWN = 1e-3
_STEPS = {0: 0.05, 0.05: 0.15, 0.1: 0.28, 0.2: 0.42, 0.5: 0.6, 1: 0.6, 2: 0.8, 4: 1}
"""Opacity of the colour from here on, in limits."""


def drift(
    index: Mapping[str, Mapping[str, float]], *, limit: float, title: str = "Drift of features", top: int = 15
) -> bytes:
    """Plots the population stability index by part and feature, for the `top` features with the highest in any part.

    Several parts are the columns of a map, where no drift has nearly the colour of the paper, and drift from the
    `limit` on, where checks warn, has another colour than drift below it. One part is drawn as bars.
    """
    furthest: dict[str, float] = {}
    for values in index.values():
        for name, value in values.items():
            furthest[name] = max(value, furthest.get(name, 0.0))
    shown = sorted(furthest, key=lambda name: (-furthest[name], name))[:top]

    def paint(axes: Axes) -> None:
        if not shown:
            axes.reason = "nothing to compare with"
            return
        axes.y = Axis(names=row_names(shown), low=0.5 - len(shown), high=0.5, grid=False)
        if len(index) == 1:
            _paint_bars(axes, [furthest[name] for name in shown], limit)
        else:
            _paint_map(axes, {part: [values[name] for name in shown] for part, values in index.items()}, limit)

    return draw(title, paint, height=BAR_HEIGHT * max(3, len(shown)))


def _paint_bars(axes: Axes, values: list[float], limit: float) -> None:
    boxes = [(_LEAST_SHOWN, max(value, _LEAST_SHOWN), -y - 0.35, -y + 0.35) for y, value in enumerate(values)]
    axes.boxes(boxes, PALETTE[0])
    axes.upright(max(limit, _LEAST_SHOWN), Style(INK, width=0.8))
    label = f"population stability index; the line = {limit:g}"
    axes.x = Axis(label, logarithmic=True, low=_LEAST_SHOWN, high=2 * max(limit, _LEAST_SHOWN, *values), grid=False)


def _paint_map(axes: Axes, parts: Mapping[str, list[float]], limit: float) -> None:
    """Paints cells of equal colour side by side as one: a map of many parts stays small."""
    boxes: list[list[Box]] = [[] for _ in _STEPS]
    for y, row in enumerate(zip(*parts.values(), strict=True)):
        start = 0
        for step, run in groupby(sum(value >= limit * begin for begin in _STEPS) - 1 for value in row):
            end = start + len(list(run))
            boxes[step].append((start, end, -y - 0.5, -y + 0.5))
            start = end
    for own, (begin, opacity) in zip(boxes, _STEPS.items(), strict=True):
        name = f"from {plain_number(begin * limit)}"
        axes.boxes(own, PALETTE[begin >= 1], name, opacity=str(opacity), shape_rendering="crispEdges")
    label = f"{len(parts)} parts; colour: population stability index"
    names = {place + 0.5: part for place, part in enumerate(parts)}
    axes.x = Axis(label, names=names, low=0, high=len(parts), grid=False)
