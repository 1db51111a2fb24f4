"""Smoothed rates: the share of a key's exposures with an engagement, drawn to the base rate. Beyond the reference."""

from collections.abc import Sequence
from functools import cache

import torch  # noqa: TID253 - nothing light imports this module

from engage_pipeline import schema
from engage_pipeline.model.network.rows import COUNTS

PRIOR_WEIGHT = 20.0
"""The base rate counts like this many exposures."""
HIGHEST_RATE = 1 - 1e-6
EXPOSURE_SCALE = 0.25

_KEYS = [name.removesuffix("_exposures") for name in schema.EXPOSURE_FEATURES]
_COUNTERS = [[COUNTS.index(f"{key}_{target}") for target in schema.TARGETS] for key in _KEYS]


def n_history_features(further: int) -> int:
    """Returns the number of columns of history_features with `further` keys beyond the reference."""
    return (len(_KEYS) + further) * (len(schema.TARGETS) + 1)


def history_features(counts: torch.Tensor, exposures: torch.Tensor, base_rates: Sequence[float]) -> torch.Tensor:
    """Returns the four smoothed rates of each of k keys, then the exposures of each key: float32 [n, 5 k].

    k = 14, or more with families beyond the reference. `counts` is int32 [n, 60 + 4 (k - 14)] in the order of
    rows.COUNTS, then the other keys' TARGETS; `exposures` [n, k] in the order of EXPOSURE_FEATURES, then the
    other keys; `base_rates` in the order of TARGETS.

    A rate is (count + w b) / (exposures + w), with the base rate b and w = PRIOR_WEIGHT; its feature is its log-odds
    minus those of b. The feature of exposures x is log(1 + x) / 4. A key that was never shown has zeros.
    """
    base = torch.tensor(base_rates, dtype=torch.float64, device=counts.device)
    shown = exposures.double()
    engaged = counts[:, _counters(counts.shape[1], counts.device)]  # [n, k, 4]
    rates = (engaged + PRIOR_WEIGHT * base) / (shown.unsqueeze(2) + PRIOR_WEIGHT)
    log_odds = rates.clamp_max(HIGHEST_RATE).logit() - base.logit()
    return torch.cat([log_odds.flatten(1), shown.log1p() * EXPOSURE_SCALE], dim=1).float()


@cache
def _counters(counts: int, device: torch.device) -> torch.Tensor:
    """Returns where the TARGETS of each key are among so many `counts`: int64 [k, 4]."""
    further = torch.arange(len(COUNTS), counts).view(-1, len(schema.TARGETS))
    return torch.cat([torch.tensor(_COUNTERS), further]).to(device)
