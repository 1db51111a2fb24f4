"""Bar plots: feature importance, scores by group, similar authors, rejected lines, sizes of tables and parts."""

from collections.abc import Mapping

import numpy as np

from engage_pipeline.metrics import Scores, group_names
from engage_pipeline.plots.style import (
    INK,
    MUTED,
    PALETTE,
    Axes,
    bar_colour,
    count_axis,
    draw,
    legend,
    percent_axis,
    plain,
    say_nothing_to_draw,
    short_count,
)

_BAR_INCHES = 0.19
_LONGEST_NAME = 44
_MOST_TICKS, _FEW_BARS = 5, 40


def feature_importance(importance: Mapping[str, float], *, title: str = "Feature importance", top: int = 20) -> bytes:
    """Plots the `top` largest values (none negative) as horizontal bars in percent of the sum of all values."""
    total = sum(importance.values()) or 1
    ordered = sorted(importance.items(), key=lambda item: (-item[1], item[0]))[:top]
    shares = {name: 100 * value / total for name, value in ordered}
    return _horizontal_bars(shares, title, "share of the gain, %", "no feature was used")


def rejected_reasons(counts: Mapping[str, int], *, title: str = "Rejected lines by reason") -> bytes:
    """Plots the rejected lines by reason, most frequent first."""
    ordered = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:20])
    return _horizontal_bars(ordered, title, "lines", "no line was rejected")


def table_rows(rows: Mapping[str, int], *, title: str = "Rows by table") -> bytes:
    """Plots the number of rows of each table, in the given order."""
    return _horizontal_bars(rows, title, "rows", "no table")


def part_sizes(rows: Mapping[str, int], rejected: Mapping[str, int], *, title: str = "Rows by part") -> bytes:
    """Plots the rows of each part, and the share of rejected lines if there are any; both by part, in order."""

    def paint(axes: Axes) -> None:
        if not rows:
            say_nothing_to_draw(axes, "no part")
            return
        places = range(len(rows))
        axes.bar(places, list(rows.values()), color=PALETTE[0], width=0.8 if len(rows) <= _FEW_BARS else 1)
        axes.set_ylabel("rows")
        axes.grid(visible=False, axis="x")
        count_axis(axes.yaxis)
        step = max(1, -(-len(rows) // _MOST_TICKS))
        axes.set_xticks(list(places)[::step], [plain(_shortened(name)) for name in rows][::step])
        shares = {
            place: rejected[name] / (count + rejected[name])
            for place, (name, count) in enumerate(rows.items())
            if rejected.get(name)
        }
        if shares:
            _paint_shares(axes.twinx(), shares)

    return draw(title, paint)


def _paint_shares(axes: Axes, shares: Mapping[int, float]) -> None:
    axes.plot(list(shares), list(shares.values()), color=PALETTE[1], linestyle="", marker="s")
    axes.set_ylim(0, 1.25 * max(shares.values()))
    axes.grid(visible=False)
    axes.set_ylabel("share of rejected lines", color=PALETTE[1])
    percent_axis(axes.yaxis)


def _horizontal_bars(values: Mapping[str, float], title: str, x_label: str, empty: str) -> bytes:
    def paint(axes: Axes) -> None:
        if not values:
            say_nothing_to_draw(axes, empty)
            return
        places = range(len(values))
        axes.barh(places, list(values.values()), color=PALETTE[0], height=0.7)
        axes.set_yticks(places, [plain(_shortened(name)) for name in values])
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(plain(x_label))
        axes.set_xlim(0, 1.12 * max(values.values()) or 1)
        count_axis(axes.xaxis)
        for place, value in zip(places, values.values(), strict=True):
            axes.annotate(
                f"{value:.3g}" if value < 1000 else short_count(round(value, -2)),
                (value, place),
                xytext=(2, 0),
                textcoords="offset points",
                va="center",
                fontsize=7,
                color=INK,
            )

    return draw(title, paint, height=max(1.6, 0.8 + _BAR_INCHES * len(values)))


def _shortened(name: str) -> str:
    """Returns `name` on one line, cut to leave room for the bar."""
    line = " ".join(name.split())
    return line if len(line) <= _LONGEST_NAME else line[: _LONGEST_NAME - 1] + "…"


def group_scores(scores: Mapping[str, Scores], engagement: str, *, metric: str = "rce", title: str) -> bytes:
    """Plots AP (`ap`) or RCE in percent (`rce`) of each model by author follower group, for one engagement.

    A group in which no model has a score keeps its place, with the words *no score*.
    """

    def paint(axes: Axes) -> None:
        edges = next(iter(scores.values())).edges
        names = group_names(edges)
        width = 0.8 / len(scores)
        scored: set[int] = set()
        for index, (model, one) in enumerate(scores.items()):
            values = [getattr(group, metric) for group in one.engagements[engagement].groups]
            places = np.arange(len(names)) + (index - (len(scores) - 1) / 2) * width
            scored |= {place for place, value in enumerate(values) if value is not None}
            heights = [np.nan if value is None else value for value in values]
            axes.bar(places, heights, width=0.92 * width, color=bar_colour(model, index), label=plain(model))
        axes.set_xticks(range(len(names)), names)
        axes.set_xlim(-0.6, len(names) - 0.4)
        _say_no_score(axes, set(range(len(names))) - scored)
        axes.grid(visible=False, axis="x")
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.set_xlabel("followers of the author")
        axes.set_ylabel("AP" if metric == "ap" else "RCE, %")
        legend(axes, scores, below=True)

    return draw(title, paint)


def _say_no_score(axes: Axes, places: set[int]) -> None:
    for place in sorted(places):
        axes.text(
            place,
            0.5,
            "no score",
            rotation=90,
            ha="center",
            va="center",
            color=MUTED,
            transform=axes.get_xaxis_transform(),
        )


def similarity_degrees(authors: Mapping[str, int], *, title: str = "Similar authors per author") -> bytes:
    """Plots how many authors have 0, 1, 2, … similar authors, the keys of `authors`."""

    def paint(axes: Axes) -> None:
        if not authors:
            say_nothing_to_draw(axes, "no author")
            return
        axes.bar([int(degree) for degree in authors], list(authors.values()), color=PALETTE[0], width=0.8)
        axes.grid(visible=False, axis="x")
        axes.set_xlabel("similar authors")
        axes.set_ylabel("authors")
        axes.xaxis.get_major_locator().set_params(integer=True)
        count_axis(axes.yaxis)

    return draw(title, paint)
