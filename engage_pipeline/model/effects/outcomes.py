"""The five outcomes with effects: any engagement, and each engagement given that there is any.

Whether people engage is one habit, how they engage another. So rare engagements profit from all rows with any
engagement. The probability of an engagement is the product:

    P(e) = P(any) P(e | any)
"""

import numpy as np

from engage_pipeline import schema

ANY = "any"
OUTCOMES = (ANY, *schema.TARGETS)
"""Any engagement, over all rows; then each of TARGETS, over the rows with any engagement."""


def engagement_log_odds(log_odds: np.ndarray) -> np.ndarray:
    """Computes the log-odds of TARGETS, float64 [n, 4], from those of OUTCOMES, [n, 5]."""
    log_any, log_given = (-np.logaddexp(0.0, -values) for values in (log_odds[:, :1], log_odds[:, 1:]))
    log_chance = np.minimum(log_any + log_given, -1e-12)
    return log_chance - np.log(-np.expm1(log_chance))
