"""Figures of trained_model: the decision with its reason, and figures of the model that predicts."""

from collections.abc import Mapping, Sequence
from typing import Any

from engage_pipeline.store.facts import Figures
from engage_pipeline.store.promoted_counters import CountersRead

CANDIDATE, CURRENT = "candidate", "model before"
"""The compared models in facts and tables: the one just trained, and the one that predicted until then."""


class DifferenceFigures(Figures):
    """RCE of the candidate minus that of the model before, percent, with its 95 % interval; None if unknown."""

    rce: float
    interval: tuple[float, float] | None


class ModelFacts(CountersRead):
    """Figures of a version of trained_model, whichever version of the program published it.

    `candidate` is the version of candidate_model that was decided on; `rce` are its scores and those of the model
    before, percent, by model and engagement, and their `mean`; `rce_difference` is how these differ, `ap` is their
    average precision, `share_of_positives` that of the holdout rows. Of the model in this version: `promoted_at` (ISO
    8601), its mean RCE at that time, and the `split` of the holdout rows. `held_back` are versions that a rollback gave
    up.
    """

    decision: str = ""
    candidate: str | None = None
    rce: Mapping[str, Mapping[str, float | None]] = {}
    rce_difference: Mapping[str, DifferenceFigures] = {}
    ap: Mapping[str, Mapping[str, float | None]] = {}
    share_of_positives: Mapping[str, float] = {}
    promoted_at: str = ""
    rce_at_promotion: float | None = None
    split: Mapping[str, Any] | None = None
    rolled_back_at: str = ""
    rolled_back_from: str | None = None
    held_back: Sequence[str] = []


class DecisionFacts(ModelFacts):
    """A decision: whether the candidate predicts, the reason in words, and the tolerance of the rule."""

    promoted: bool
    decision: str
    tolerance: float | None = None
