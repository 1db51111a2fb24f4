"""Plots cluster sizes by rank."""

from collections.abc import Mapping, Sequence

from engage_pipeline.plots.axes import Axes
from engage_pipeline.plots.figure import draw
from engage_pipeline.plots.scales import percent
from engage_pipeline.plots.style import style_of


def cluster_shares(shares: Mapping[str, Sequence[tuple[int, float]]], *, title: str, cluster: str) -> bytes:
    """Plots which share of each kind of member (such as authors) the cluster of each rank holds; 1 = the largest.

    `shares` holds (rank, share) by kind of member; `cluster` is the word for a cluster.
    """
    drawn = {name: of_ranks for name, of_ranks in shares.items() if of_ranks}

    def paint(axes: Axes) -> None:
        if not drawn:
            axes.reason = f"no {cluster}"
            return
        for index, (name, of_ranks) in enumerate(drawn.items()):
            axes.line(of_ranks, style_of(name, index), name)
        axes.x.label, axes.x.whole = f"rank of the {cluster}", True
        axes.y.label = f"share of the {next(iter(drawn))}" if len(drawn) == 1 else "share"
        axes.y.show, axes.y.low = percent, 0

    return draw(title, paint)
