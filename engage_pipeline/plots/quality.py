"""Plots of the quality of probabilities: precision against recall, and calibration."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from engage_pipeline.metrics import average_precision
from engage_pipeline.plots.axes import Axes
from engage_pipeline.plots.figure import draw, draw_grid
from engage_pipeline.plots.scales import percent
from engage_pipeline.plots.style import THIN, Style, style_of
from engage_pipeline.plurals import counted

Labels = NDArray[np.bool_]
Probabilities = NDArray[np.float64]
_CURVE_POINTS = 500
_RECALL_SHOWN = 0.02
"""Precision below this recall is noise of few rows: it does not set the height of the plot."""
_Z95 = 1.96
_LOGARITHMIC_FROM = 20
LEAST_POSITIVES = 10
"""Fewer positives than this say nothing of calibration: all bins but some have none."""
_POSITIVES_A_BIN = 4
"""Of few positives there are fewer bins, so that one has so many on average."""


@dataclass(frozen=True)
class Bin:
    """Rows of neighbouring probabilities: their number, their mean probability, their share of positives."""

    rows: int
    predicted: float
    observed: float


def precision_recall(labels: Labels, probabilities: Mapping[str, Probabilities], *, title: str) -> bytes:
    """Plots precision against recall of each model for one engagement; labels and probabilities [n]."""

    def paint(axes: Axes) -> None:
        names = {name: f"{name}, AP {_known_ap(labels, values)}" for name, values in probabilities.items()}
        _paint_precision_recall(axes, labels, probabilities, names)

    return draw(title, paint)


def precision_recalls(
    labels: Mapping[str, Labels], probabilities: Mapping[str, Mapping[str, Probabilities]], *, title: str
) -> bytes:
    """Plots `precision_recall` of several engagements in one picture; `labels` by engagement, `probabilities` by
    engagement and model."""
    paints = {
        name: partial(
            _paint_precision_recall,
            labels=own,
            probabilities=probabilities[name],
            names={m: m for m in probabilities[name]},
        )
        for name, own in labels.items()
    }
    return draw_grid(title, paints)


def _known_ap(labels: Labels, values: Probabilities) -> str:
    return f"{average_precision(labels, values):.4f}" if labels.any() else "-"


def _paint_precision_recall(
    axes: Axes, labels: Labels, probabilities: Mapping[str, Probabilities], names: Mapping[str, str]
) -> None:
    positives = int(labels.sum())
    if positives in {0, len(labels)}:
        axes.reason = f"{positives} positives among {len(labels)} rows"
        return
    top = 0.0
    for index, (name, values) in enumerate(probabilities.items()):
        precision, recall = _curve(labels, values)
        top = max(top, float(precision[recall >= _RECALL_SHOWN].max(initial=0)))
        axes.line(zip(recall, precision, strict=True), style_of(name, index).without_marker(), names[name], steps=True)
    axes.level(positives / len(labels), THIN, "share of positives")
    axes.x.label, axes.x.low, axes.x.high = "recall", 0, 1
    axes.y.label, axes.y.low, axes.y.high = "precision", 0, min(1.02, 1.2 * top)


def _curve(labels: Labels, probabilities: Probabilities) -> tuple[Probabilities, Probabilities]:
    """Returns precision and falling recall at no more than _CURVE_POINTS thresholds, evenly spread over the recall.

    Of thresholds with the same recall the highest counts, as in average precision: it has the fewest negatives.
    """
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(labels, probabilities)
    kept = np.flatnonzero(np.append(np.diff(recall) != 0, True))
    if len(kept) > _CURVE_POINTS:
        wanted = np.linspace(1, 0, _CURVE_POINTS)
        kept = kept[np.unique(np.searchsorted(-recall[kept], -wanted, side="right") - 1)]
    return precision[kept], recall[kept]


def quantile_bins(labels: Labels, probabilities: Probabilities, bins: int = 10) -> list[Bin]:
    """Returns at most `bins` bins of similar size, in order of probability. Equal probabilities share a bin."""
    if len(labels) == 0:
        return []
    inner = np.unique(np.quantile(probabilities, np.linspace(0, 1, bins + 1)[1:-1], method="lower"))
    places = np.searchsorted(inner, probabilities, side="right")
    found = []
    for place in np.unique(places):
        chosen = places == place
        found.append(Bin(int(chosen.sum()), float(probabilities[chosen].mean()), float(labels[chosen].mean())))
    return found


def calibration(labels: Labels, probabilities: Mapping[str, Probabilities], *, title: str, bins: int = 10) -> bytes:
    """Plots the share of positives against the mean probability in at most `bins` quantile bins, with 95 % intervals.

    Of fewer than LEAST_POSITIVES positives there is no plot, and of few there are fewer bins. The axes are logarithmic
    if the probabilities span more than a factor of 20.
    """
    paint = partial(_paint_calibration, labels=labels, probabilities=probabilities, bins=bins)
    return draw(title, paint)


def calibrations(
    labels: Mapping[str, Labels],
    probabilities: Mapping[str, Mapping[str, Probabilities]],
    *,
    title: str,
    bins: int = 10,
) -> bytes:
    """Plots `calibration` of several engagements in one picture; `labels` by engagement, `probabilities` by engagement
    and model."""
    paints = {
        name: partial(_paint_calibration, labels=own, probabilities=probabilities[name], bins=bins)
        for name, own in labels.items()
    }
    return draw_grid(title, paints)


def _paint_calibration(axes: Axes, labels: Labels, probabilities: Mapping[str, Probabilities], bins: int) -> None:
    positives = int(labels.sum())
    if positives < LEAST_POSITIVES:
        axes.reason = f"{counted(positives, 'positive')} among {len(labels):,} rows: too few to tell"
        return
    most = min(bins, positives // _POSITIVES_A_BIN)
    binned = {name: quantile_bins(labels, values, most) for name, values in probabilities.items()}
    found = [one for bins_of_model in binned.values() for one in bins_of_model]
    floor = _paint_scale(axes, found)
    for index, (name, bins_of_model) in enumerate(binned.items()):
        style = style_of(name, index)
        places = [one.predicted for one in bins_of_model]
        low, high = zip(*map(_wilson, bins_of_model), strict=True)
        whisker = Style(style.colour, width=0.8)
        axes.ranges(places, [max(one, floor) for one in low], high, whisker, opacity="0.6")
        seen = [one.observed or (math.nan if axes.y.logarithmic else 0) for one in bins_of_model]
        axes.line(zip(places, seen, strict=True), style, name)
    axes.x.label = f"mean prediction, bins of {_range([one.rows for one in found])} rows"
    axes.y.label = "share of positives"


def _paint_scale(axes: Axes, found: list[Bin]) -> float:
    """Scales both axes equally and draws the diagonal; returns the lowest visible share."""
    top = max(max(one.predicted, one.observed) for one in found)
    bottom = max(min(share for one in found for share in (one.predicted, one.observed or one.predicted)), 1e-6)
    logarithmic = top > _LOGARITHMIC_FROM * bottom
    low, high = (0.6 * bottom, 1.6 * top) if logarithmic else (0.0, 1.08 * top)
    axes.line([(low, low), (high, high)], THIN)
    for axis in (axes.x, axes.y):
        axis.low, axis.high, axis.logarithmic, axis.show = low, high, logarithmic, percent
    return low


def _range(counts: list[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _wilson(one: Bin) -> tuple[float, float]:
    """Returns Wilson's 95 % interval of a share (E. B. Wilson, 1927)."""
    z2 = _Z95**2 / one.rows
    centre = (one.observed + z2 / 2) / (1 + z2)
    half = _Z95 / (1 + z2) * math.sqrt(one.observed * (1 - one.observed) / one.rows + z2 / (4 * one.rows))
    return centre - half, centre + half
