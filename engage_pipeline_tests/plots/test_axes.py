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
