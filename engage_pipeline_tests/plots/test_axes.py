"""What a plot shows and leaves out, read from its SVG: marks lie where hand arithmetic puts their values."""

import math
import re
from itertools import pairwise

import numpy as np
import pytest

from engage_pipeline import metrics, plots
from engage_pipeline.plots.svg import width_of
from engage_pipeline_tests.plots.seen import Picture, boxes, points


def rare(positives: int, rows: int = 706) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(5)
    labels = np.zeros(rows, bool)
    labels[:positives] = True
    return rng.permutation(labels), {name: rng.gamma(1, 0.005, rows).clip(1e-5, 1) for name in "ab"}


def test_a_line_goes_through_its_points() -> None:
    picture = Picture(plots.learning_curves({"a": [(0, 1.0), (50, 3.0), (100, 2.0)]}))
    width, height = picture.panel.size
    line, markers = *picture.panel.paths("line c0"), *picture.panel.paths("fill c0")
    # 4 % of the range are a margin on each side: x from -4 to 104, y from 0.92 to 3.08
    expected = [(4 / 108, 2.08 / 2.16), (54 / 108, 0.08 / 2.16), (104 / 108, 1.08 / 2.16)]
    for path in (line, markers):
        assert np.array(points(path)) / (width, height) == pytest.approx(np.array(expected), abs=3e-3)


def test_a_logarithmic_line_has_equal_steps_for_equal_factors_and_gaps() -> None:
    picture = Picture(plots.label_rates([1, 2, 3, 4], {"like": [0.001, 0.01, 0.0, 0.1]}))
    (line,) = picture.panel.paths("line c0")
    (first, second, last) = points(line)
    assert first[1] - second[1] == pytest.approx(second[1] - last[1], abs=0.2)
    assert line.get("d", "").count("M") == 2, "no line crosses the day without a positive"
    assert {"0.1 %", "1 %", "10 %"} <= set(picture.texts())


def test_days_stand_as_far_apart_as_they_are_and_no_line_crosses_missing_ones() -> None:
    picture = Picture(plots.label_rates([18_660, 18_661, 18_680], {"like": [0.1, 0.1, 0.1]}))
    (line,) = picture.panel.paths("line c0")
    first, second, last = (x for x, _ in points(line))
    assert (last - second) == pytest.approx(19 * (second - first), rel=0.01)
    texts = [text for text in picture.texts() if text.startswith("02-")]
    assert len(texts) < 10, "not a name for each day"
    assert texts[:2] == ["02-02", "02-05"], "also of days without rows"
    assert line.get("d", "").count("M") == 2


def test_a_line_leaves_out_what_is_not_finite() -> None:
    panel = Picture(
        plots.learning_curves({"a": [(0, 1.0), (1, math.inf), (2, -math.inf), (3, math.nan), (4, 2.0)]})
    ).panel
    assert len(points(panel.paths("line c0")[0])) == len(points(panel.paths("fill c0")[0])) == 2


def test_ticks_stand_at_their_values() -> None:
    picture = Picture(plots.learning_curves({"a": [(0, 0.0), (100_000, 1.0)]}))
    width, height = picture.panel.size
    left, top = picture.panel.corner
    ((x, _),), ((_, y),) = picture.places("60k"), picture.places("0.6")
    assert x == pytest.approx(left + width * 64 / 108, abs=0.1)
    assert y == pytest.approx(top + height * (1.04 - 0.6) / 1.08 + 4, abs=0.1)


def test_bars_are_as_long_as_their_values() -> None:
    picture = Picture(plots.table_rows({"pair": 440, "author": 110, "none": 0}))
    (bars,) = picture.panel.paths("fill c0")
    lengths = [right - left for left, _, right, _ in boxes(bars)]
    assert lengths == pytest.approx([picture.panel.size[0] / 1.2, picture.panel.size[0] / 4.8, 0], abs=0.1)
    tops = [min(bottom, top) for _, bottom, _, top in boxes(bars)]
    assert tops == sorted(tops), "the first is on top"
    ((x, y),) = picture.places("110")
    left, top = picture.panel.corner
    assert (x - left, y - top) == pytest.approx((lengths[1] + 4, (tops[1] + 0.35 * 19) + 4), abs=0.2), "beside its bar"


def test_rejected_lines_have_an_axis_of_their_own() -> None:
    picture = Picture(plots.part_sizes({"a": 90, "b": 100}, {"a": 10}))
    assert {"rows", "share of rejected lines"} <= set(picture.texts())
    (rejected,) = picture.panel.paths("fill c1")
    ((_, y),) = points(rejected)
    assert y == pytest.approx(picture.panel.size[1] * (1 - 1 / 1.25), abs=0.2), "10 % of an axis up to 12.5 %"
    (bars,) = picture.panel.paths("fill c0")
    assert boxes(bars)[1][3] == pytest.approx(picture.panel.size[1] * 0.04 / 1.04, abs=0.2)


@pytest.mark.parametrize(("positives", "said"), [(0, "0 positives"), (1, "1 positive"), (9, "9 positives")])
def test_too_few_positives_are_told_instead_of_a_fence_of_intervals(positives: int, said: str) -> None:
    picture = Picture(plots.calibration(*rare(positives), title="x"))
    assert picture.texts() == ["x", f"{said} among 706 rows: too few to tell"]
    assert not picture.panels


@pytest.mark.parametrize(("positives", "bins"), [(10, 2), (25, 6), (40, 10), (300, 10)])
def test_few_positives_have_few_bins(positives: int, bins: int) -> None:
    panel = Picture(plots.calibration(*rare(positives), title="x")).panel
    for colour in ("c0", "c1"):
        whiskers, _ = panel.paths(f"line {colour}")
        assert whiskers.get("d", "").count("M") == bins


def test_a_bin_without_positives_is_drawn_where_there_is_a_zero() -> None:
    """On linear axes at 0; on logarithmic ones its whisker alone stands below."""
    labels = np.repeat([False, True, False], [50, 25, 25])
    narrow, wide = (np.repeat([low, 0.4], [50, 50]) for low in (0.1, 0.001))
    markers = [
        Picture(plots.calibration(labels, {"a": values}, title="x")).panel.paths("fill c0") for values in (narrow, wide)
    ]
    assert [[len(points(one)) for one in own] for own in markers] == [[2], [1]]


def test_intervals_of_calibration_are_those_of_wilson() -> None:
    labels = np.repeat([True, False], [30, 70])
    picture = Picture(plots.calibration(labels, {"a": np.full(100, 0.4)}, title="x"))
    (marker,) = picture.panel.paths("fill c0")
    ((x, y),) = points(marker)
    width, height = picture.panel.size
    assert (x / width, 1 - y / height) == pytest.approx((0.4 / 0.432, 0.3 / 0.432), abs=2e-3)
    whisker, _ = picture.panel.paths("line c0")
    start, end = whisker.get("d", "").split("V")
    low, high = (1 - float(one) / height for one in (start.split(" ")[1], end))
    assert (low * 0.432, high * 0.432) == pytest.approx((0.2189, 0.3958), abs=1e-3)


def test_precision_stays_until_the_next_recall() -> None:
    labels = np.array([True, False, True, False])
    picture = Picture(plots.precision_recall(labels, {"a": np.array([0.9, 0.8, 0.7, 0.1])}, title="x"))
    (line,) = picture.panel.paths("line c0")
    width, height = picture.panel.size
    outline = line.get("d", "")
    # recall 1 takes three rows, 2 of 3; recall 0.5 takes one, 1 of 1
    at = {share: svg_number(height * (1 - share / 1.02)) for share in (1, 2 / 3)}
    assert outline == f"M{svg_number(width)} {at[2 / 3]}H{svg_number(width / 2)}V{at[1]}H0"
    assert "a, AP 0.8333" in picture.texts()


@pytest.mark.parametrize(("rows", "rate"), [(300, 0.3), (706, 0.05), (5_000, 0.4), (20_000, 0.02)])
def test_the_area_below_the_drawn_precision_is_the_average_precision(rows: int, rate: float) -> None:
    """Also of more thresholds than are drawn, and where most have the same recall. The precision of the constant
    b is the share of positives, and tells the scale."""
    rng = np.random.default_rng(5)
    labels = rng.random(rows) < rate
    values = rng.normal(0.2 + 0.2 * labels, 0.2)
    picture = Picture(plots.precision_recall(labels, {"a": values, "b": np.full(rows, 0.5)}, title="x"))
    drawn, of_constant = (
        area(line.get("d", ""), picture.panel.size[1]) for (line,) in map(picture.panel.paths, ("line c0", "line c1"))
    )
    assert drawn / of_constant * labels.mean() == pytest.approx(metrics.average_precision(labels, values), rel=0.02)


def area(outline: str, height: float) -> float:
    """Pixels below a staircase that goes from right to left."""
    (_, x, y), *steps = re.findall(r"([MHV])([-\d.]+)(?: ([-\d.]+))?", outline)
    found, place, level = 0.0, float(x), float(y)
    for kind, value, _ in steps:
        if kind == "H":
            found, place = found + (place - float(value)) * (height - level), float(value)
        else:
            level = float(value)
    return found


def svg_number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def test_a_group_without_a_score_keeps_its_place() -> None:
    rows = np.full((40, 4), 0.25)
    labels = np.zeros((40, 4), bool)
    labels[20:30] = True
    followers = np.r_[np.full(20, 1000), np.full(20, 5000)]
    scores = {name: metrics.score(labels, rows, followers, edges=(240, 588, 1331, 3996)) for name in ("a", "b")}
    picture = Picture(plots.group_scores(scores, "like", title="x"))
    panel = picture.panel
    # five groups at 0 to 4, on an axis from -0.6 to 4.6
    expected = [panel.corner[0] + panel.size[0] * (0.6 + group) / 5.2 for group in range(4)]
    assert [x for x, _ in picture.places("no score")] == pytest.approx(expected, abs=0.1)
    (only,) = boxes(panel.paths("fill c0")[0])
    assert panel.size[0] * 4.2 / 5.2 < only[0] < only[2] < panel.size[0]


def test_no_drift_has_nearly_the_colour_of_the_paper_and_drift_from_the_limit_on_another() -> None:
    parts = {"part-0": {"hour": 0.0, "n_tokens": 1.0}, "part-1": {"hour": 0.2, "n_tokens": 1.0}}
    panel = Picture(plots.drift(parts, limit=0.25)).panel
    width, height = panel.size
    shown = {
        box: (colour, float(path.get("opacity", "")))
        for colour in ("c0", "c1")
        for path in panel.paths(f"fill {colour}")
        for box in boxes(path)
    }
    row = height / 2
    assert shown[0, row, width, 0] == ("c1", 1), "both parts drift in n_tokens: one cell"
    assert shown[0, height, width / 2, row][0] == "c0"
    assert shown[0, height, width / 2, row][1] <= 0.1
    assert shown[width / 2, height, width, row] == ("c0", 0.6), "0.8 of the limit"


@pytest.mark.parametrize(
    ("feature", "parts", "shown"),
    [
        ("engaged_with_user_follower_count", 20, [0, 9, 18]),
        ("engaged_with_user_follower_count", 12, [0, 5, 10]),
        ("hour", 41, [0, 10, 20, 30]),  # 40 would touch 30
    ],
)
def test_names_of_parts_are_neither_cut_at_the_edge_nor_touch(feature: str, parts: int, shown: list[int]) -> None:
    picture = Picture(plots.drift({f"part-{part:010}": {feature: 0.1} for part in range(parts)}, limit=0.25))
    names = [text for text in picture.texts() if text.startswith("part-")]
    assert names == [f"part-{part:010}" for part in shown]
    ends = [(x - width_of(name) / 2, x + width_of(name) / 2) for name in names for x, _ in picture.places(name)]
    assert all(end <= start for (_, end), (start, _) in pairwise(ends))
    assert ends[-1][1] <= float(picture.root.get("width", ""))


def test_drift_of_one_part_is_a_bar_beside_the_limit() -> None:
    panel = Picture(plots.drift({"window": {"hour": 0.1, "language": 0.0}}, limit=0.5)).panel
    full, none = boxes(panel.paths("fill c0")[0])
    # a logarithmic axis from 0.001 to 1: 0.1 lies at two of three powers of ten
    assert full[2] == pytest.approx(panel.size[0] * 2 / 3, abs=0.1)
    assert none[2] == 0
    ((x, _), *_) = points(panel.paths("line ink")[0])
    assert x == pytest.approx(panel.size[0] * math.log10(500) / 3, abs=0.1)


def test_codes_show_their_quantiles() -> None:
    picture = Picture(plots.code_occupancy([(0, 20, 40, 60, 100)] * 2, 50))
    _, height = picture.panel.size
    thin, thick = picture.panel.paths("line c0")
    scale = height / 104
    assert thin.get("d", "").endswith(f"{svg_number(height)}V{svg_number(4 * scale)}")
    assert thick.get("d", "").endswith(f"{svg_number(84 * scale)}V{svg_number(44 * scale)}")
    (median,) = picture.panel.paths("fill ink")
    assert points(median)[0][1] == pytest.approx(64 * scale, abs=0.1)


def test_a_day_of_late_engagements_explains_itself() -> None:
    texts = Picture(plots.label_rates([18_681, 18_682], {"like": [0.37, 0.8]})).texts()
    assert any("a day after the last tweets has engaged rows alone" in text for text in texts)
    assert {"02-23", "02-24"} <= set(texts)
