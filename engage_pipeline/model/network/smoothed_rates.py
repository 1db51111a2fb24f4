"""Smoothed rates: how often a key was engaged with, of how often it was shown. Beyond the reference."""

from collections.abc import Sequence

import torch  # noqa: TID253 - nothing light imports this module

from engage_pipeline import schema

PRIOR_WEIGHT = 20.0
"""Exposures that the base rate counts for."""
HIGHEST_RATE = 1 - 1e-6
EXPOSURE_SCALE = 0.25

_KEYS = [name.removesuffix("_exposures") for name in schema.EXPOSURE_FEATURES]
_COUNTERS = [[schema.NUMBERS.index(f"{key}_{target}") for target in schema.TARGETS] for key in _KEYS]
N_HISTORY_FEATURES = len(_KEYS) * (len(schema.TARGETS) + 1)


def history_features(numbers: torch.Tensor, exposures: torch.Tensor, base_rates: Sequence[float]) -> torch.Tensor:
    """For each key its four smoothed rates, then for each key how often it was shown: float32 [n, 14 x 4 + 14].

    `numbers` is float64 [n, 73] in the order of schema.NUMBERS, `exposures` [n, 14] in that of EXPOSURE_FEATURES,
    `base_rates` in that of TARGETS. A rate is (count + w b) / (exposures + w), b the base rate and w = PRIOR_WEIGHT,
    given as its log-odds less the base rate's; the exposures as log(1 + x) / 4. A key never shown has zeros.
    """
    base = torch.tensor(base_rates, dtype=torch.float64, device=numbers.device)
    shown = exposures.double()
    rates = (numbers[:, _COUNTERS] + PRIOR_WEIGHT * base) / (shown.unsqueeze(2) + PRIOR_WEIGHT)  # [n, 14, 4]
    log_odds = rates.clamp_max(HIGHEST_RATE).logit() - base.logit()
    return torch.cat([log_odds.flatten(1), shown.log1p() * EXPOSURE_SCALE], dim=1).float()
