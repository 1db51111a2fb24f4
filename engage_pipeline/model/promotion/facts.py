"""Figures of trained_model: the decision with its reason, and figures of the model that predicts."""

from collections.abc import Mapping, Sequence
from typing import Any

from engage_pipeline.model.facts import Provenance
from engage_pipeline.store.facts import Figures
from engage_pipeline.store.promoted_counters import CountersRead

CANDIDATE, CURRENT = "candidate", "model before"
"""The compared models in facts and tables: the one just trained, and the one that predicted until then."""


class DifferenceFigures(Figures):
    """RCE of the candidate minus that of the model before, percent, with its 95 % interval; None if unknown."""

    rce: float
    interval: tuple[float, float] | None


class ScoreFigures(Figures):
    """AP in [0, 1] and RCE in percent of one engagement on the holdout, or their means, with 95 % intervals."""

    ap: float | None
    rce: float | None
    ap_interval: tuple[float, float] | None = None
    rce_interval: tuple[float, float] | None = None
    positives: int | None = None


class SliceFigures(Figures):
    """One engagement on a slice of the holdout: observed and predicted rate, RCE in percent plus or minus `margin`.

    RCE and margin are None where a class has too few rows, the margin also where all rows are of one viewer.
    """

    observed: float
    predicted: float | None
    rce: float | None
    margin: float | None


class SlicedRows(Figures):
    """The slice `name` of the holdout, cut by the trait `by`: rows, and figures by engagement."""

    by: str
    name: str
    rows: int
    engagements: Mapping[str, SliceFigures]


class CardFigures(Figures):
    """What the model card tells of a model: its scores on `rows` holdout rows of `viewers`, by engagement and `mean`,
    and on slices; whether it has trees, and what it was trained on. `problem` says why there is no score."""

    rows: int = 0
    viewers: int = 0
    scores: Mapping[str, ScoreFigures] = {}
    slices: Sequence[SlicedRows] = []
    problem: str = ""
    trees: bool | None = None
    provenance: Provenance | None = None


class ModelFacts(CountersRead):
    """Figures of a version of trained_model, whichever version of the program published it.

    `candidate` is the version of candidate_model that was decided on; `rce` are its scores and those of the model
    before, percent, by model and engagement, and their `mean`; `rce_difference` is how these differ, `ap` is their
    average precision, `share_of_positives` that of the holdout rows. Of the model in this version: `promoted_at` (ISO
    8601), its mean RCE at that time, the `split` of the holdout rows, and what its `card` tells; `candidate_card` tells
    the same of the candidate. `held_back` are versions that a rollback gave up.
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
    card: CardFigures | None = None
    candidate_card: CardFigures | None = None
    rolled_back_at: str = ""
    rolled_back_from: str | None = None
    held_back: Sequence[str] = []


def shown_time(time: str) -> str:
    """Returns an ISO 8601 time, UTC, for people, to the minute."""
    return f"{time[:16].replace('T', ' ')} UTC"


class DecisionFacts(ModelFacts):
    """A decision: whether the candidate predicts, the reason in words, and the tolerance of the rule."""

    promoted: bool
    decision: str
    tolerance: float | None = None
