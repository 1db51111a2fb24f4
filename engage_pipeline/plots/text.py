"""Plots of the language stage: token frequencies, and how evenly the codes of a sketch are used."""

from collections.abc import Sequence

from engage_pipeline.plots.style import INK, MUTED, PALETTE, Axes, count_axis, draw, legend, say_nothing_to_draw

QUANTILES = ("fewest", "first quartile", "median", "third quartile", "most")
"""The quantiles of each depth in `code_occupancy`."""


def token_frequencies(ranked: Sequence[tuple[int, int]], *, title: str = "Tokens by frequency") -> bytes:
    """Plots the occurrences of tokens by rank (1 = the most frequent), both axes logarithmic.

    `ranked` holds (rank, occurrences).
    """

    def paint(axes: Axes) -> None:
        if not ranked:
            say_nothing_to_draw(axes, "no token")
            return
        axes.plot([rank for rank, _ in ranked], [count for _, count in ranked], color=PALETTE[0], marker="")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("rank of the token")
        axes.set_ylabel("occurrences")
        count_axis(axes.xaxis)
        count_axis(axes.yaxis)

    return draw(title, paint)


def code_occupancy(by_depth: Sequence[Sequence[int]], even: float, *, title: str = "Tokens by code") -> bytes:
    """Plots how many tokens share a code: the QUANTILES over the codes of each depth; `even` = the uniform number."""

    def paint(axes: Axes) -> None:
        if not by_depth:
            say_nothing_to_draw(axes, "no depth")
            return
        depths = range(len(by_depth))
        fewest, first, median, third, most = zip(*by_depth, strict=True)
        axes.vlines(depths, fewest, most, color=PALETTE[0], linewidth=1, label="fewest to most")
        axes.vlines(depths, first, third, color=PALETTE[0], linewidth=5, label="half of the codes")
        axes.plot(depths, median, color=INK, linestyle="", marker="_", markersize=7, label="median")
        axes.axhline(even, color=MUTED, linestyle="--", linewidth=0.8, label="all alike")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("depth")
        axes.set_ylabel("tokens of a code")
        axes.grid(visible=False, axis="x")
        axes.xaxis.get_major_locator().set_params(integer=True)
        legend(axes, range(4), below=True)

    return draw(title, paint)
