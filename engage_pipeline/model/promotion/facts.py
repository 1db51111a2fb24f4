"""Figures of trained_model: what was decided and why, and what is known of the model that predicts."""

from collections.abc import Mapping, Sequence
from typing import Any

from engage_pipeline.store.facts import Figures
from engage_pipeline.store.promoted_counters import CountersRead


class ModelFacts(CountersRead):
    """What is known of a version of trained_model, whichever version of the program published it.

    `candidate` is the version of candidate_model that was decided on; `rce` are its scores and those of the model
    before, percent, by model and engagement, and their `mean`. Of the model that it holds: when it was promoted (ISO
    8601), its mean RCE then, and what drew the holdout rows. `held_back` are versions that a rollback gave up.
    """

    decision: str = ""
    candidate: str | None = None
    rce: Mapping[str, Mapping[str, float | None]] = {}
    promoted_at: str = ""
    rce_at_promotion: float | None = None
    split: Mapping[str, Any] | None = None
    rolled_back_at: str = ""
    rolled_back_from: str | None = None
    held_back: Sequence[str] = []


class DifferenceFigures(Figures):
    """Candidate less model before in RCE, percent, with its 95 % interval; None where no interval is known."""

    rce: float
    interval: tuple[float, float] | None


class DecisionFacts(ModelFacts):
    """What was decided: whether the candidate predicts, why in words, and what the scores differ by."""

    promoted: bool
    decision: str
    tolerance: float | None = None
    rce_difference: Mapping[str, DifferenceFigures] = {}
