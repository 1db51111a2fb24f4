"""Intercepts are moved to where the rows have the rates of their labels."""

from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.model.effects import leveling
from engage_pipeline.model.effects.fitting import Fit
from engage_pipeline.model.effects.marginals import marginal_logits
from engage_pipeline.numerics.logistic import sigmoid
from engage_pipeline_tests.model.effects.fits import AUTHOR, PAIR, VIEWER, fit_of, records_of, scores_of, swept

ROWS = 4000


def fitted(folder: Path, *, in_files: bool = False) -> Fit:
    """A fit to rare labels after eight sweeps, too few to settle."""
    rng = np.random.default_rng(5)
    people = {name: rng.integers(1, 400, ROWS) for name in ("viewer", "author")}
    chances = sigmoid(rng.normal(size=(400, 4))[people["viewer"]] - np.array([0.0, 2.0, 4.0, 3.0]))
    records = records_of(rng.random((ROWS, 4)) < chances, **people)
    records["facts"]["weight"][: ROWS // 4] = 0
    return swept(fit_of(records, [AUTHOR, VIEWER, PAIR], folder, in_files=in_files, threads=2), 8)


def rates(fit: Fit, every: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Mean probability and share of labels of the rows with a weight in every so many blocks, float64 [4] each."""
    blocks = list(fit.design.blocks())[::every]
    facts = np.concatenate([block.read(fit.design.facts) for block in blocks])
    counted = facts[facts["weight"] > 0]
    means, variances = (found[counted["position"]] for found in scores_of(fit))
    labels = counted["labels"][:, np.newaxis] >> np.arange(4) & 1
    return sigmoid(marginal_logits(means, variances, fit.coupling)).mean(axis=0), labels.mean(axis=0)


@pytest.mark.parametrize("in_files", [False, True])
def test_rows_with_a_weight_have_their_rates(in_files: bool, tmp_path: Path) -> None:
    fit = fitted(tmp_path, in_files=in_files)
    intercepts, (before, wanted) = fit.intercepts, rates(fit)
    assert np.abs(before / wanted - 1).max() > 0.02  # else there would be nothing to move
    leveling.level(fit)
    found, _ = rates(fit)
    assert found == pytest.approx(wanted, rel=2e-3, abs=0.5 / (0.75 * ROWS))  # half a label is added
    assert fit.intercepts - intercepts == pytest.approx(fit.level)


def test_every_second_block_decides_where_rows_are_twice_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = fitted(tmp_path)
    monkeypatch.setattr(leveling, "MOST_ROWS", ROWS // 2)
    leveling.level(fit)
    found, wanted = rates(fit, every=2)
    assert found == pytest.approx(wanted, rel=2e-3, abs=0.5 / (0.4 * ROWS))
    assert len(list(fit.design.blocks())) == 3


def test_a_fit_of_no_rows_stays(tmp_path: Path) -> None:
    fit = swept(fitted(tmp_path).branch(lambda facts: 0 * facts["weight"], None), 1)
    leveling.level(fit)
    assert not fit.level.any()
