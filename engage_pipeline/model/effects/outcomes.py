"""The five outcomes that have effects: any engagement at all, and each engagement given that there is one.

Who engages at all is one habit, what they then do another: a rare engagement learns from every engagement that there
was somebody to engage. The chance of an engagement is the product:

    P(e) = P(any) P(e | any)
"""

import numpy as np

from engage_pipeline import schema

ANY = "any"
OUTCOMES = (ANY, *schema.TARGETS)
"""Any engagement, of all rows; then each of TARGETS, of the rows with an engagement."""


def engagement_log_odds(log_odds: np.ndarray) -> np.ndarray:
    """The log-odds of the engagements, float64 [n, 4] in the order of TARGETS, from those of OUTCOMES [n, 5]."""
    log_any, log_given = (-np.logaddexp(0.0, -values) for values in (log_odds[:, :1], log_odds[:, 1:]))
    log_chance = np.minimum(log_any + log_given, -1e-12)
    return log_chance - np.log(-np.expm1(log_chance))
