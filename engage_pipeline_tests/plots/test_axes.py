"""What a plot shows and leaves out: read from its axes, before they become a picture."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from engage_pipeline import metrics, plots
from engage_pipeline.plots import style

Seen = Callable[[Callable[[], bytes]], Any]


@pytest.fixture
def figure_of(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Returns the matplotlib Figure of a plot."""
    kept: list[Any] = []
    encode = style._png

    def keep(figure: Any) -> bytes:
        kept.append(figure)
        return encode(figure)

    monkeypatch.setattr(style, "_png", keep)

    def drawn(make: Callable[[], bytes]) -> Any:
        make()
        return kept[-1]

    return drawn


def words(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]


def rare(positives: int, rows: int = 706) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(5)
    labels = np.zeros(rows, bool)
    labels[:positives] = True
    return rng.permutation(labels), {name: rng.gamma(1, 0.005, rows).clip(1e-5, 1) for name in "ab"}


@pytest.mark.parametrize(("positives", "said"), [(0, "0 positives"), (1, "1 positive"), (9, "9 positives")])
def test_too_few_positives_are_told_instead_of_a_fence_of_intervals(figure_of: Seen, positives: int, said: str) -> None:
    (axes,) = figure_of(lambda: plots.calibration(*rare(positives), title="x")).axes
    assert words(axes) == [f"{said} among 706 rows: too few to tell"]
    assert not axes.lines


@pytest.mark.parametrize(("positives", "bins"), [(10, 2), (25, 6), (40, 10), (300, 10)])
def test_few_positives_have_few_bins(figure_of: Seen, positives: int, bins: int) -> None:
    (axes,) = figure_of(lambda: plots.calibration(*rare(positives), title="x")).axes
    assert {len(line.get_xdata()) for line in axes.lines[1:]} == {bins}


def test_a_legend_of_calibration_hides_nothing(figure_of: Seen) -> None:
    figure = figure_of(lambda: plots.calibration(*rare(300), title="x"))
    (axes,) = figure.axes
    assert axes.get_legend() is None
    (legend,) = figure.legends
    assert legend.get_window_extent().y1 < axes.get_window_extent().y0
    assert not [label for label in axes.get_xticklabels(minor=True) if label.get_text()]


def test_a_group_without_a_score_keeps_its_place(figure_of: Seen) -> None:
    rows = np.full((40, 4), 0.25)
    labels = np.zeros((40, 4), bool)
    labels[20:30] = True
    followers = np.r_[np.full(20, 1000), np.full(20, 5000)]
    scores = {name: metrics.score(labels, rows, followers, edges=(240, 588, 1331, 3996)) for name in ("a", "b")}
    (axes,) = figure_of(lambda: plots.group_scores(scores, "like", title="x")).axes
    assert words(axes) == ["no score"] * 4
    assert [text.get_position()[0] for text in axes.texts] == [0, 1, 2, 3]
    low, high = axes.get_xlim()
    assert low <= -0.5
    assert high >= 4.5


def test_no_drift_has_nearly_the_colour_of_the_paper(figure_of: Seen) -> None:
    """A dark page inverts it: what is bright there must be what drifts."""
    parts = {"part-0": {"hour": 0.0, "n_tokens": 1.0}, "part-1": {"hour": 0.0, "n_tokens": 1.0}}
    axes, _ = figure_of(lambda: plots.drift(parts, limit=0.25)).axes
    (image,) = axes.images
    brightness = image.cmap(image.norm(image.get_array()))[:, 0, :3].mean(axis=1)
    names = [label.get_text() for label in axes.get_yticklabels()]
    found = dict(zip(names, brightness, strict=True))
    assert found["hour"] > 0.9
    assert found["n_tokens"] < 0.3


def test_a_day_of_late_engagements_explains_itself(figure_of: Seen) -> None:
    (axes,) = figure_of(lambda: plots.label_rates([18_681, 18_682], {"like": [0.37, 0.8]})).axes
    assert "a day after the last tweets has engaged rows alone" in axes.get_xlabel()
