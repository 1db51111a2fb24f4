"""Plots the drift of the features by part."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engage_pipeline.plots.style import INK, PALETTE, Axes, draw, plain, plain_axis, say_nothing_to_draw

_ROW_INCHES = 0.19
_LONGEST_NAME = 18
_LEAST_SHOWN = 1e-3


def drift(
    index: Mapping[str, Mapping[str, float]], *, limit: float, title: str = "Drift of features", top: int = 15
) -> bytes:
    """Plots the population stability index by part and feature, for the `top` features with the highest in any part.

    No drift has nearly the colour of the paper, so that a dark page, which inverts the picture, does not light it up.
    Several parts are the columns of a map; one part is drawn as bars. `limit`: the index from which on checks warn.
    """
    furthest: dict[str, float] = {}
    for values in index.values():
        for name, value in values.items():
            furthest[name] = max(value, furthest.get(name, 0.0))
    shown = sorted(furthest, key=lambda name: (-furthest[name], name))[:top]

    def paint(axes: Axes) -> None:
        if not shown:
            say_nothing_to_draw(axes, "nothing to compare with")
            return
        axes.set_yticks(range(len(shown)), [plain(name) for name in shown])
        axes.grid(visible=False)
        if len(index) == 1:
            _paint_bars(axes, [furthest[name] for name in shown], limit)
        else:
            _paint_map(axes, list(index), np.array([[part[name] for part in index.values()] for name in shown]), limit)

    return draw(title, paint, height=max(1.8, 0.9 + _ROW_INCHES * len(shown)))


def _paint_bars(axes: Axes, values: list[float], limit: float) -> None:
    from matplotlib.ticker import LogLocator

    axes.barh(range(len(values)), np.maximum(values, _LEAST_SHOWN), color=PALETTE[0], height=0.7)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(_LEAST_SHOWN, 2 * max(limit, *values))
    plain_axis(axes.xaxis)
    axes.xaxis.set_major_locator(LogLocator())
    axes.axvline(limit, color=INK, linewidth=0.8)
    axes.set_xlabel(f"population stability index; the line = {limit:g}")


def _paint_map(axes: Axes, parts: list[str], values: NDArray[np.float64], limit: float) -> None:
    from matplotlib.colors import LogNorm

    image = axes.imshow(
        np.maximum(values, _LEAST_SHOWN),
        aspect="auto",
        interpolation="nearest",
        cmap="YlOrBr",
        norm=LogNorm(limit / 100, limit * 4, clip=True),
    )
    axes.set_xticks([])
    axes.set_xlabel(plain(f"{len(parts)} parts, {parts[0][:_LONGEST_NAME]} … {parts[-1][:_LONGEST_NAME]}"))
    bar = axes.figure.colorbar(image, ax=axes, pad=0.02)
    bar.ax.axhline(limit, color=INK, linewidth=1.5)
    plain_axis(bar.ax.yaxis)
    bar.set_label(f"population stability index; the line = {limit:g}")
