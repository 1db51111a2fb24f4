"""Plots cluster sizes by rank."""

from collections.abc import Mapping, Sequence

from engage_pipeline.plots.style import Axes, draw, legend, line_style, percent_axis, plain, say_nothing_to_draw


def cluster_shares(shares: Mapping[str, Sequence[tuple[int, float]]], *, title: str, cluster: str) -> bytes:
    """Plots which share of each kind of member (such as authors) the cluster of each rank holds; 1 = the largest.

    `shares` holds (rank, share) by kind of member; `cluster` is the word for a cluster.
    """
    drawn = {name: of_ranks for name, of_ranks in shares.items() if of_ranks}

    def paint(axes: Axes) -> None:
        if not drawn:
            say_nothing_to_draw(axes, f"no {cluster}")
            return
        for index, (name, of_ranks) in enumerate(drawn.items()):
            axes.plot(*zip(*of_ranks, strict=True), label=plain(name), **line_style(name, index))
        axes.set_ylim(bottom=0)
        axes.set_xlabel(f"rank of the {cluster}")
        axes.set_ylabel(plain(f"share of the {next(iter(drawn))}" if len(drawn) == 1 else "share"))
        axes.xaxis.get_major_locator().set_params(integer=True)
        percent_axis(axes.yaxis)
        legend(axes, drawn)

    return draw(title, paint)
