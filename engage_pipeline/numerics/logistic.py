"""Logistic regression on a few logits under a Gaussian prior, for calibration and blending.

The log posterior is concave, so the best weights are unique; with few rows they stay near the prior's mean.
"""

from collections.abc import Sequence

import numpy as np


def fit_logistic(
    inputs: np.ndarray,
    labels: np.ndarray,
    *,
    mean: Sequence[float],
    precision: np.ndarray,
    least: Sequence[float | None],
) -> np.ndarray:
    """Returns the weights w, float64 [k], with the highest posterior; the logit of a row x is x·w.

    `inputs` float [n, k], `labels` bool [n]. The prior of w is Gaussian with `mean` [k] and `precision` [k, k], the
    inverse of its covariance. `least` [k] are lower bounds of the weights, None = unbounded.
    """
    from scipy.optimize import minimize

    result = minimize(
        _negative_log_posterior,
        np.array(mean, np.float64),
        args=(inputs.astype(np.float64), labels.astype(bool), np.array(mean, np.float64), precision),
        jac=True,
        method="L-BFGS-B",
        bounds=[(bound, None) for bound in least],
        options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-7 * max(len(labels), 1)},
    )
    return np.asarray(result.x, np.float64)


def gaussian_precision(directions: np.ndarray, deviations: Sequence[float]) -> np.ndarray:
    """Returns the precision [k, k] under which directions[i]·(w - mean) are independent with standard deviations[i].

    `directions` is float [k, k]. An intercept's row (1, c) puts its prior at the logit c instead of 0: otherwise, far
    from 0, a change of the slope would change the rate.
    """
    return directions.T @ np.diag(np.array(deviations) ** -2.0) @ directions


def log_losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns the log loss of each row in nats: float64, in the shape of `logits` and the bool `labels`."""
    return np.logaddexp(0.0, np.where(labels, -logits, logits))


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Computes the logistic function in the shape of `logits`; 0 where the exponential of `-logits` overflows."""
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-logits)))


def _negative_log_posterior(
    weights: np.ndarray, inputs: np.ndarray, labels: np.ndarray, mean: np.ndarray, precision: np.ndarray
) -> tuple[float, np.ndarray]:
    """Returns value and gradient [k] of the negative log posterior, in nats summed over the rows."""
    logits = inputs @ weights
    pull = precision @ (weights - mean)
    gradient = inputs.T @ (sigmoid(logits) - labels) + pull
    return float(log_losses(logits, labels).sum() + (weights - mean) @ pull / 2), gradient
