"""Plots of the language stage: token frequencies, and how evenly the codes of a sketch are used."""

from collections.abc import Sequence

from engage_pipeline.plots.axes import Axes
from engage_pipeline.plots.figure import draw
from engage_pipeline.plots.scales import short_count
from engage_pipeline.plots.style import DASH, INK, MUTED, PALETTE, Style

QUANTILES = ("fewest", "first quartile", "median", "third quartile", "most")
"""The quantiles of each depth in `code_occupancy`."""


def token_frequencies(ranked: Sequence[tuple[int, int]], *, title: str = "Tokens by frequency") -> bytes:
    """Plots the occurrences of tokens by rank (1 = the most frequent), both axes logarithmic.

    `ranked` holds (rank, occurrences).
    """

    def paint(axes: Axes) -> None:
        if not ranked:
            axes.reason = "no token"
            return
        axes.line(ranked, Style(PALETTE[0]))
        axes.x.label, axes.y.label = "rank of the token", "occurrences"
        for axis in (axes.x, axes.y):
            axis.show, axis.logarithmic = short_count, True

    return draw(title, paint)


def code_occupancy(by_depth: Sequence[Sequence[int]], even: float, *, title: str = "Tokens by code") -> bytes:
    """Plots how many tokens share a code: the QUANTILES over the codes of each depth; `even` = the uniform number."""

    def paint(axes: Axes) -> None:
        if not by_depth:
            axes.reason = "no depth"
            return
        depths = range(len(by_depth))
        fewest, first, median, third, most = zip(*by_depth, strict=True)
        axes.ranges(depths, fewest, most, Style(PALETTE[0], width=1), "fewest to most")
        axes.ranges(depths, first, third, Style(PALETTE[0], width=7), "half of the codes")
        axes.points(enumerate(median), Style(INK, marker=DASH), "median")
        axes.level(even, Style(MUTED, "4 3", width=0.8), "all alike")
        axes.x.label, axes.x.whole, axes.x.grid = "depth", True, False
        axes.y.label, axes.y.low = "tokens of a code", 0

    return draw(title, paint)
