"""Line plots: losses during training, label rates by day."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from engage_pipeline import schema
from engage_pipeline.numerics.stray_days import in_window
from engage_pipeline.plots.axes import Axes
from engage_pipeline.plots.figure import draw
from engage_pipeline.plots.scales import percent, short_count
from engage_pipeline.plots.style import style_of

Point = tuple[float, float]
_FEW_POINTS = 30
_LATE_DAYS = "\na day after the last tweets has engaged rows alone: its rates are high"


def learning_curves(
    series: Mapping[str, Iterable[Point]],
    *,
    title: str = "Learning curves",
    x_label: str = "rows",
    y_label: str = "loss",
    logarithmic: bool = False,
) -> bytes:
    """Plots one line per series of (x, y) points, in order of x; `logarithmic` is for series of different scale."""
    lines = {name: sorted(points) for name, points in series.items()}

    def paint(axes: Axes) -> None:
        if not any(lines.values()):
            axes.reason = "nothing recorded yet"
            return
        for index, (name, points) in enumerate(lines.items()):
            style = style_of(name, index)
            shown = style if len(points) <= _FEW_POINTS else style.without_marker()
            axes.line(points, shown, name)
        axes.x.label, axes.x.show = x_label, short_count
        axes.y.label, axes.y.logarithmic = y_label, logarithmic

    return draw(title, paint)


def loss_curve(training: Iterable[Point], heldout: Iterable[Point] = (), *, title: str = "Encoder loss") -> bytes:
    """Plots the masked-language-model loss (nats per masked token) by step: of the batches and of held-out tweets."""
    series = {"training": list(training), "held out": list(heldout)}
    kept = {name: points for name, points in series.items() if points}
    return learning_curves(kept, title=title, x_label="steps", y_label="loss, nats a masked token")


def network_curve(curve: Sequence[Mapping[str, float]], *, rows: int, title: str = "Network: training loss") -> bytes:
    """Plots the binary cross-entropy of each engagement over the `rows` seen; a point holds `step` and the losses by
    engagement, and the last point is that of the last step."""
    rows_a_step = rows / curve[-1]["step"] if curve else 0
    series = {target: [(point["step"] * rows_a_step, point[target]) for point in curve] for target in schema.TARGETS}
    return learning_curves(series, title=title, y_label="cross-entropy, nats a row", logarithmic=True)


def label_rates(
    days: Sequence[int], rates: Mapping[str, Sequence[float]], *, title: str = "Label rates by engagement day"
) -> bytes:
    """Plots the share of positives by day on a logarithmic axis; `days` since 1970-01-01, rising, one rate per day.

    No line crosses a day without rows.
    """

    def paint(axes: Axes) -> None:
        shown = {name: values for name, values in rates.items() if any(value > 0 for value in values)}
        if not shown:
            axes.reason = "no positive label"
            return
        for index, (name, values) in enumerate(shown.items()):
            axes.line(_with_gaps(days, values), style_of(name, index), name)
        axes.x.names = {day: _date(day) for day in range(days[0], days[-1] + 1)}
        axes.x.label = f"day of the latest engagement, else of the tweet (month-day, UTC){_LATE_DAYS}"
        axes.y.label, axes.y.show, axes.y.logarithmic = "share of the rows", percent, True

    return draw(title, paint)


def _with_gaps(days: Sequence[int], rates: Sequence[float]) -> Iterator[Point]:
    """Yields the rate of each day; NaN where it is 0, and once where days are missing before the next."""
    for place, (day, rate) in enumerate(zip(days, rates, strict=True)):
        if place and day > days[place - 1] + 1:
            yield day - 1, math.nan
        yield day, rate or math.nan


def label_rates_by_day(counts: Mapping[str, Sequence[int]]) -> bytes:
    """Plots `label_rates` from `engagement_day`, `rows` and each engagement's positives, one value per day; without
    stray days."""
    days, rows = np.array(counts[schema.ENGAGEMENT_DAY], np.int64), np.array(counts["rows"], np.int64)
    shown = in_window(days, rows)
    rates = {name: (np.array(counts[name])[shown] / np.maximum(1, rows[shown])).tolist() for name in schema.TARGETS}
    return label_rates(days[shown].tolist(), rates)


def _date(day: int) -> str:
    return str(np.datetime64(day, "D"))[-5:]
