"""Bar plots: feature importance, scores by group, similar authors, rejected lines, sizes of tables and parts."""

import math
from collections.abc import Mapping

from engage_pipeline.metrics import Scores, group_names
from engage_pipeline.plots.axes import Axes, Axis, Box, Note
from engage_pipeline.plots.figure import draw
from engage_pipeline.plots.scales import percent, short_count
from engage_pipeline.plots.style import INK, MUTED, PALETTE, SQUARE, Style, style_of
from engage_pipeline.plots.svg import shortened

BAR_HEIGHT = 19
"""Of a horizontal bar and the gap below it, pixels."""
_LONGEST_NAME = 300
_FEW_BARS = 40


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
            axes.reason = "no part"
            return
        axes.boxes(_bars(list(rows.values()), 0.8 if len(rows) <= _FEW_BARS else 1), PALETTE[0], "rows")
        axes.x.names, axes.x.grid = dict(enumerate(rows)), False
        axes.y.label, axes.y.show, axes.y.whole = "rows", short_count, True
        shares = {
            place: rejected[name] / (count + rejected[name])
            for place, (name, count) in enumerate(rows.items())
            if rejected.get(name)
        }
        if shares:
            label = "share of rejected lines"
            axes.right = Axis(label, show=percent, low=0, high=1.25 * max(shares.values()))
            axes.points(shares.items(), Style(PALETTE[1], marker=SQUARE), label, on_right=True)

    return draw(title, paint)


def _bars(heights: list[float], width: float = 0.8, shift: float = 0) -> list[Box]:
    """Returns bars at 0, 1, 2, ..., `shift` to the right."""
    return [(x + shift - width / 2, x + shift + width / 2, 0, height) for x, height in enumerate(heights)]


def _horizontal_bars(values: Mapping[str, float], title: str, x_label: str, empty: str) -> bytes:
    def paint(axes: Axes) -> None:
        if not values:
            axes.reason = empty
            return
        axes.boxes([(0, value, -y - 0.35, -y + 0.35) for y, value in enumerate(values.values())], PALETTE[0])
        axes.y = Axis(names=row_names(values), low=0.5 - len(values), high=0.5, grid=False)
        axes.x.label, axes.x.show = x_label, short_count
        axes.x.high = 1.2 * max(values.values()) or 1
        for y, value in enumerate(values.values()):
            shown = f"{value:.3g}" if value < 1000 else short_count(round(value, -2))
            axes.notes.append(Note(value, -y, shown, shift=4))

    return draw(title, paint, height=BAR_HEIGHT * max(3, len(values)))


def row_names(names: Mapping[str, object] | list[str]) -> dict[float, str]:
    """Returns the names of rows, the first on top at 0, the others at -1, -2, ..., cut to leave room for the bars."""
    return {-place: shortened(name, _LONGEST_NAME) for place, name in enumerate(names)}


def group_scores(scores: Mapping[str, Scores], engagement: str, *, metric: str = "rce", title: str) -> bytes:
    """Plots AP (`ap`) or RCE in percent (`rce`) of each model by author follower group, for one engagement.

    A group in which no model has a score keeps its place, with the words *no score*.
    """

    def paint(axes: Axes) -> None:
        names = group_names(next(iter(scores.values())).edges)
        width = 0.8 / len(scores)
        unscored = set(range(len(names)))
        for index, (model, one) in enumerate(scores.items()):
            values = [getattr(group, metric) for group in one.engagements[engagement].groups]
            unscored -= {place for place, value in enumerate(values) if value is not None}
            heights = [math.nan if value is None else value for value in values]
            shift = (index - (len(scores) - 1) / 2) * width
            axes.boxes(_bars(heights, 0.92 * width, shift), style_of(model, index).colour, model)
        axes.x = Axis(
            "followers of the author", names=dict(enumerate(names)), low=-0.6, high=len(names) - 0.4, grid=False
        )
        axes.notes += [Note(place, 0, "no score", colour=MUTED, upright=True) for place in sorted(unscored)]
        axes.level(0, Style(INK, width=0.8))
        axes.y.label = "AP" if metric == "ap" else "RCE, %"

    return draw(title, paint)


def similarity_degrees(authors: Mapping[str, int], *, title: str = "Similar authors per author") -> bytes:
    """Plots how many authors have 0, 1, 2, … similar authors, the keys of `authors`."""

    def paint(axes: Axes) -> None:
        if not authors:
            axes.reason = "no author"
            return
        axes.boxes([(int(name) - 0.4, int(name) + 0.4, 0, count) for name, count in authors.items()], PALETTE[0])
        axes.x.label, axes.x.whole, axes.x.grid = "similar authors", True, False
        axes.y.label, axes.y.show, axes.y.whole = "authors", short_count, True

    return draw(title, paint)
