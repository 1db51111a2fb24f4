"""Figures of the model stage. Those of trained_model are in promotion.facts."""

from collections.abc import Mapping, Sequence
from typing import Any

from engage_pipeline.store.facts import Facts, Figures
from engage_pipeline.store.promoted_counters import CountersRead


class NetworkFacts(Facts):
    """Figures of pretrained_network and finetuned_network: `rows` is the sum of trained rows over all passes.

    `curve` holds points of the learning curve: `step`, and the loss of each engagement (nats per row). `holdout` holds
    AP and RCE by engagement, `before` and `after` fine-tuning; empty for pretrained_network.
    """

    rows: int
    curve: Sequence[Mapping[str, int | float]]
    holdout: Mapping[str, Mapping[str, Mapping[str, float | None]]] = {}


class EffectsFacts(Facts):
    """Figures of engagement_effects: number of fitted rows, and keys and deviations by effect."""

    effects: Mapping[str, Any]
    rows: int | None = None


class TreesFigures(Figures):
    """Figures of the trees of one engagement: their number and its reason, out-of-fold losses (nats per row) from 0
    trees on, and gain by column. The number is None in figures of earlier versions."""

    trees: int | None = None
    reason: str = ""
    curve: Sequence[float] = []
    gain: Mapping[str, float] = {}


class TreesFacts(Facts):
    """Figures of engagement_trees: number of training rows, and figures by engagement."""

    enabled: bool
    rows: int | None = None
    engagements: Mapping[str, TreesFigures] = {}


class BlendFigures(Figures):
    """Figures of the blend of one engagement: weights of the logits, and log losses (nats per row) by model."""

    network_weight: float
    trees_weight: float
    effects_weight: float
    log_loss: Mapping[str, float]
    best_alone: str
    gain: float
    gain_error: float


class Provenance(Figures):
    """What a model was trained on and with.

    Of the training rows: parts, rows, rows by engagement, first and last day of the window (ISO 8601), and rows of
    stray days outside it. Of the validation rows: rows and days, in words. `data` are versions by artifact. `settings`
    are those that differ from the preset's, `code` is the program with a digest of the code versions, `libraries` are
    versions by name. `no_encoder` says why the texts were read without one.
    """

    parts: int
    rows: int
    positives: Mapping[str, int]
    first_day: str
    last_day: str
    stray_rows: int
    validation_rows: int
    validation_days: str
    data: Mapping[str, str]
    preset: str
    settings: Mapping[str, Any]
    code: str
    libraries: Mapping[str, str]
    no_encoder: str | None = None


class BundleFacts(CountersRead):
    """Figures of candidate_model: whether it has trees, the blend by engagement, and what it was trained on; None if
    an earlier version of the program made it."""

    trees: bool
    engagements: Mapping[str, BlendFigures] = {}
    provenance: Provenance | None = None


class EvaluationFacts(Facts):
    """Figures of evaluation: the number of scored holdout rows, and of their positives by engagement.

    `scores` are AP and RCE by model, then by engagement, `mean` and `mean_by_group`; `main_model` names the candidate.
    """

    rows: int
    positives: Mapping[str, int] = {}
    main_model: str = ""
    scores: Mapping[str, Mapping[str, Mapping[str, Any]]] = {}
