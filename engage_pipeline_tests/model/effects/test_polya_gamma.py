"""Polya-Gamma draws against the Laplace transform, against sums of exponential variables, and against integrals."""

import numpy as np
import pytest
from scipy.integrate import quad  # noqa: TID253 - it judges what is tested

from engage_pipeline.model.effects.polya_gamma import polya_gamma, share_of_the_right

ODDS = [0.0, 0.3, -1.5, 3.0, -3.3, 8.0, 31.9, 80.0]


def draws(odds: float, size: int = 100_000) -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.array([polya_gamma(odds, rng) for _ in range(size)])


@pytest.mark.parametrize("odds", ODDS)
def test_the_laplace_transform(odds: float) -> None:
    """The mean of exp(-t x) is cosh(c / 2) / cosh(sqrt((c^2 / 2 + t) / 2)) (Polson, Scott, Windle 2013, section 2)."""
    found, c = draws(odds), min(abs(odds), 60.0)
    for t in (0.5, 5.0, 40.0):
        root = np.sqrt((c * c / 2 + t) / 2)
        expected = np.exp(np.logaddexp(c / 2, -c / 2) - np.logaddexp(root, -root))
        values = np.exp(-t * found)
        assert values.mean() == pytest.approx(expected, abs=5 * values.std() / np.sqrt(found.size))


@pytest.mark.parametrize("odds", [0.0, -1.5, 8.0])
def test_the_quantiles_of_the_sum_that_defines_it(odds: float) -> None:
    """x = sum of e_k / ((k - 1/2)^2 + c^2 / 4 pi^2) / 2 pi^2, e_k exponential; the mean of the rest for k > 200."""
    rng, k = np.random.default_rng(4), np.arange(1, 201)
    scale = 1 / ((k - 0.5) ** 2 + odds**2 / (4 * np.pi**2)) / (2 * np.pi**2)
    rest = (np.tanh(odds / 2) / (2 * odds) if odds else 0.25) - scale.sum()
    expected = rng.exponential(size=(40_000, k.size)) @ scale + rest
    levels = [0.05, 0.25, 0.5, 0.75, 0.95, 0.995]
    assert np.quantile(draws(odds), levels) == pytest.approx(np.quantile(expected, levels), rel=0.04)


@pytest.mark.parametrize("z", [0.0, 0.4, 2.0, 6.0])
def test_the_share_is_that_of_the_integrals_of_both_proposals(z: float) -> None:
    def below(x: float) -> float:
        return np.sqrt(2 / np.pi / x**3) * np.exp(-1 / (2 * x) - z * z * x / 2)

    def above(x: float) -> float:
        return np.pi / 2 * np.exp(-(np.pi**2 / 8 + z * z / 2) * x)

    left, right = quad(below, 0, 0.64)[0], quad(above, 0.64, np.inf)[0]
    assert share_of_the_right(z) == pytest.approx(right / (left + right), rel=1e-6)
