"""Every plot is a small SVG, the same bytes for the same data, on any data; bins against a slow reference."""

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engage_pipeline import metrics, plots, schema
from engage_pipeline_tests.plots.seen import SVG, Picture

MODELS = ("pretrained", "network", "trees", "blend", "constant")
LARGEST = 100_000
ALLOWED = {"svg", "title", "style", "rect", "text", "path"}
RATES = (0.4, 0.09, 0.007, 0.03)


def labels_and_models(rows: int = 3000, rate: float = 0.3) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(3)
    true = np.clip(rng.gamma(1, rate, rows), 0, 1)
    models = {name: np.clip(true * rng.uniform(0.5, 1.5, rows), 0, 1) for name in MODELS[:-1]}
    labels = rng.random(rows) < true
    return labels, {**models, "constant": np.full(rows, labels.mean())}


def group_scores() -> dict[str, metrics.Scores]:
    labels, models = labels_and_models()
    followers = np.random.default_rng(4).integers(0, 6000, len(labels))
    return {
        name: metrics.score(
            np.tile(labels[:, None], 4), np.tile(values[:, None], 4), followers, edges=(240, 588, 1331, 3996)
        )
        for name, values in models.items()
    }


def by_engagement() -> tuple[dict[str, np.ndarray], dict[str, dict[str, np.ndarray]]]:
    """Labels and models of four engagements, from frequent to rare."""
    drawn = {name: labels_and_models(20_000, rate) for name, rate in zip(schema.TARGETS, RATES, strict=True)}
    return {name: labels for name, (labels, _) in drawn.items()}, {name: models for name, (_, models) in drawn.items()}


NOISY_CURVE = [
    {"step": step, **dict(zip(schema.TARGETS, np.random.default_rng(step).uniform(0.5, 1, 4) * RATES, strict=True))}
    for step in range(1, 200)
]
"""As many points as a curve has at most, and as restless as one of a few rows is."""
DRAWN: dict[str, Callable[[], bytes]] = {
    "learning_curves": lambda: plots.learning_curves({"a": [(1, 2.0), (2, 1.0)], "b": [(1, 3.0)]}),
    "no learning_curves": lambda: plots.learning_curves({}),
    "loss_curve": lambda: plots.loss_curve([(i, math.exp(-i / 50)) for i in range(200)], [(100, 0.3)]),
    "network_curve": lambda: plots.network_curve(NOISY_CURVE, rows=50_944),
    "precision_recall": lambda: plots.precision_recall(*labels_and_models(), title="like"),
    "rare precision_recall": lambda: plots.precision_recall(*labels_and_models(30_000, 0.005), title="quote"),
    "one class precision_recall": lambda: plots.precision_recall(np.zeros(3, bool), {"a": np.zeros(3)}, title="x"),
    "calibration": lambda: plots.calibration(*labels_and_models(), title="like"),
    "rare calibration": lambda: plots.calibration(*labels_and_models(30_000, 0.005), title="quote"),
    "one class calibration": lambda: plots.calibration(np.zeros(3, bool), {"a": np.zeros(3)}, title="x"),
    "all positive calibration": lambda: plots.calibration(np.ones(3, bool), {"a": np.ones(3)}, title="x"),
    "no calibration": lambda: plots.calibration(np.zeros(0, bool), {"a": np.zeros(0)}, title="x"),
    "precision_recalls": lambda: plots.precision_recalls(*by_engagement(), title="Precision and recall"),
    "calibrations": lambda: plots.calibrations(*by_engagement(), title="Calibration"),
    "one calibrations": lambda: plots.calibrations({"like": np.zeros(3, bool)}, {"like": {"a": np.ones(3)}}, title="x"),
    "part_sizes": lambda: plots.part_sizes(
        {f"part-{i:05}": 3_000_000 + i for i in range(290)}, {"part-00007": 400, "part-00009": 3}
    ),
    "sizes of one part": lambda: plots.part_sizes({"part-00000": 0}, {}),
    "sizes of parts with long names": lambda: plots.part_sizes({f"{i} {'x' * 90}": 7 for i in range(9)}, {}),
    "no part_sizes": lambda: plots.part_sizes({}, {}),
    "table_rows": lambda: plots.table_rows({"pair": 5_000_000, "author": 0}),
    "token_frequencies": lambda: plots.token_frequencies([(rank, 1_000_000 // rank) for rank in range(1, 200)]),
    "no token_frequencies": lambda: plots.token_frequencies([]),
    "code_occupancy": lambda: plots.code_occupancy([(0, 3, 5, 7, 12 + i) for i in range(20)], 5.2),
    "no code_occupancy": lambda: plots.code_occupancy([], 0),
    "feature_importance": lambda: plots.feature_importance({name: len(name) / 7 for name in schema.NUMBERS}),
    "no feature_importance": lambda: plots.feature_importance({}),
    "group_scores": lambda: plots.group_scores(group_scores(), "reply", title="reply"),
    "group_scores of ap": lambda: plots.group_scores(group_scores(), "reply", metric="ap", title="reply"),
    "label_rates": lambda: plots.label_rates(
        range(18_662, 18_683), {name: [0.01] * 20 + [0.0] for name in schema.TARGETS}
    ),
    "no label_rates": lambda: plots.label_rates([18_662], {"like": [0.0]}),
    "drift": lambda: plots.drift({"window": {name: len(name) / 100 for name in schema.NUMBERS}}, limit=0.25),
    "drift of many parts": lambda: plots.drift(
        {f"part-{i:05}": {name: (i * len(name) % 97) / 200 for name in schema.NUMBERS} for i in range(290)}, limit=0.25
    ),
    "no drift": lambda: plots.drift({}, limit=0.25),
    "no drift at all": lambda: plots.drift({name: {"$x": 0.0} for name in "ab"}, limit=0.25),
    "similarity_degrees": lambda: plots.similarity_degrees({"0": 1, "1": 2, "9": 1}),
    "no similarity_degrees": lambda: plots.similarity_degrees({}),
    "cluster_shares": lambda: plots.cluster_shares(
        {name: [(rank, 1 / rank**2) for rank in range(1, 61)] for name in ("authors", "viewers")},
        title="Users",
        cluster="community",
    ),
    "cluster_shares of one kind": lambda: plots.cluster_shares({"$x$": [(1, 1.0)]}, title="Tweets", cluster="topic"),
    "no cluster_shares": lambda: plots.cluster_shares({"authors": []}, title="Users", cluster="community"),
    "rejected_reasons": lambda: plots.rejected_reasons({"x" * 300: 5, "$\\frac{$": 70_000, "a\nb": 0}),
    "no rejected_reasons": lambda: plots.rejected_reasons({}),
}


HOSTILE = "</text><script>alert(1)</script>&amp;\x00"
NAMED: dict[str, Callable[[str], bytes]] = {
    "learning_curves": lambda name: plots.learning_curves({name: [(1, 2.0)], "b": [(1, 3.0)]}, x_label=name),
    "rejected_reasons": lambda name: plots.rejected_reasons({name: 5}, title=name),
    "part_sizes": lambda name: plots.part_sizes({name: 5}, {name: 1}),
    "drift": lambda name: plots.drift({name: {name: 0.5}, "other": {name: 0.5}}, limit=0.25),
    "cluster_shares": lambda name: plots.cluster_shares({name: [(1, 1.0)]}, title=name, cluster=name),
    "nothing": lambda name: plots.cluster_shares({}, title=name, cluster=name),
    "calibrations": lambda name: plots.calibrations({name: np.zeros(3, bool)}, {name: {}}, title=name),
}
"""Plots that show names of data."""


@pytest.mark.parametrize("name", DRAWN)
def test_a_plot_is_a_small_svg_with_the_same_bytes_each_time(name: str) -> None:
    svg = DRAWN[name]()
    assert len(svg) < LARGEST
    assert DRAWN[name]() == svg
    assert not re.search(rb"nan|inf[^o]|<script|<image|href|url\(|\bon[a-z]+=", svg)
    assert {element.tag.removeprefix(SVG) for element in Picture(svg).root.iter()} <= ALLOWED


@pytest.mark.parametrize("name", DRAWN)
def test_no_words_are_cut_or_lie_on_others(name: str) -> None:
    picture = Picture(DRAWN[name]())
    width, height = float(picture.root.get("width", "")), float(picture.root.get("height", ""))
    found = [box_of(text) for text in picture.root.findall(f"{SVG}text")]
    assert all(left >= 0 and right <= width and 0 <= top <= bottom <= height for left, top, right, bottom in found)
    for one, other in combinations(found, 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1], (one, other)


def box_of(text: ET.Element) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of words in DejaVu Sans, whose letters are 0.58 of its size wide on average."""
    size = 13 if "title" in text.get("class", "") else 11
    x, y = float(text.get("x", "")), float(text.get("y", ""))
    width = 0.58 * size * len(text.text or "")
    left = x - {"start": 0.0, "middle": width / 2, "end": width}[text.get("text-anchor", "start")]
    if text.get("transform"):
        return x - size + 4, y - 4 - width / 2, x + 4, y - 4 + width / 2
    return left, y - 0.75 * size, left + width, y + 0.2 * size


@pytest.mark.parametrize("name", NAMED)
def test_names_from_data_stay_words(name: str) -> None:
    svg = NAMED[name](HOSTILE)
    assert b"<script" not in svg
    picture = Picture(svg)
    assert {element.tag.removeprefix(SVG) for element in picture.root.iter()} <= ALLOWED
    assert any(element.text and "</text><script>" in element.text for element in picture.root.iter(f"{SVG}text"))


def test_several_plots_have_one_legend() -> None:
    picture = Picture(DRAWN["calibrations"]())
    texts = picture.texts()
    assert len(picture.panels) == 4
    assert all(texts.count(name) == 1 for name in (*MODELS, *schema.TARGETS))
    below = max(panel.corner[1] + panel.size[1] for panel in picture.panels)
    assert all(y > below for name in MODELS for _, y in picture.places(name))


def test_a_single_series_has_its_name_in_a_legend() -> None:
    assert "a" in Picture(plots.learning_curves({"a": [(1, 2.0), (2, 1.0)]})).texts()
    assert "a" in Picture(plots.learning_curves({"a": [(1, 2.0), (2, 1.0)], "b": [(1, 2.0)]})).texts()


def test_a_line_to_compare_with_is_not_in_the_legend() -> None:
    labels, models = labels_and_models()
    picture = Picture(plots.calibration(labels, {"trees": models["trees"]}, title="x"))
    swatches = picture.root.findall(f"{SVG}path")[1:]  # after the axes
    assert len(swatches) == 2, "the line and the marker of the model alone"


def test_plots_differ_with_their_data() -> None:
    assert plots.similarity_degrees({"0": 1, "1": 1}) != plots.similarity_degrees({"0": 1, "2": 1})
    assert plots.learning_curves({"a": [(2, 1), (1, 2)]}) == plots.learning_curves({"a": [(1, 2), (2, 1)]})


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9, 1.0])), min_size=1, max_size=60),
    st.integers(2, 12),
)
def test_bins_hold_every_row_once_in_order(rows: list[tuple[bool, float]], bins: int) -> None:
    labels = np.array([label for label, _ in rows])
    probabilities = np.array([value for _, value in rows])
    found = plots.quantile_bins(labels, probabilities, bins)
    assert len(found) <= bins
    assert sum(one.rows for one in found) == len(rows)
    ordered = sorted(rows, key=lambda row: row[1])
    for one in found:
        own, ordered = ordered[: one.rows], ordered[one.rows :]
        assert one.predicted == pytest.approx(math.fsum(value for _, value in own) / len(own))
        assert not ordered or own[-1][1] < ordered[0][1], "equal probabilities share a bin"
    total = sum(one.observed * one.rows for one in found)
    assert total == pytest.approx(labels.sum())


def test_bins_of_distinct_probabilities_are_equally_large() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.permutation(np.linspace(0, 1, 1000))
    labels = rng.random(1000) < probabilities
    found = plots.quantile_bins(labels, probabilities, 10)
    assert len(found) == 10
    assert all(99 <= one.rows <= 101 for one in found)
    ranks = np.argsort(probabilities)[: found[0].rows]
    assert found[0].observed == pytest.approx(labels[ranks].mean())
