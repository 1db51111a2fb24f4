"""Figures of the model stage, up to the evaluation. Those of trained_model stand in promotion.facts."""

from collections.abc import Mapping, Sequence
from typing import Any

from engage_pipeline.store.facts import Facts, Figures
from engage_pipeline.store.promoted_counters import CountersRead


class NetworkFacts(Facts):
    """Figures of pretrained_network and finetuned_network: rows that were trained on, passes counted.

    `curve` holds points of the learning curve: `step`, and the loss of each engagement (nats a row). `holdout` holds AP
    and RCE by engagement, `before` and `after` fine-tuning; empty of pretrained_network.
    """

    rows: int
    curve: Sequence[Mapping[str, int | float]]
    holdout: Mapping[str, Mapping[str, Mapping[str, float | None]]] = {}


class EffectsFacts(Facts):
    """Figures of engagement_effects: rows that were fitted to, and keys and deviations by effect."""

    effects: Mapping[str, Any]
    rows: int | None = None


class TreesFigures(Figures):
    """Figures of the trees of one engagement: out-of-fold losses (nats a row), from 0 trees on, and gain by column."""

    curve: Sequence[float] = []
    gain: Mapping[str, float] = {}


class TreesFacts(Facts):
    """Figures of engagement_trees: rows that were trained on, and figures by engagement."""

    enabled: bool
    rows: int | None = None
    engagements: Mapping[str, TreesFigures] = {}


class BlendFigures(Figures):
    """Figures of the blend of one engagement: weights of the logits, and log losses (nats a row) by model."""

    network_weight: float
    trees_weight: float
    intercept: float
    log_loss: Mapping[str, float]
    best_alone: str
    gain: float
    gain_error: float
    share_of_blend: float


class BundleFacts(CountersRead):
    """Figures of candidate_model: whether it has trees, and the blend by engagement."""

    trees: bool
    engagements: Mapping[str, BlendFigures] = {}


class EvaluationFacts(Facts):
    """Figures of evaluation: holdout rows that were scored."""

    rows: int
