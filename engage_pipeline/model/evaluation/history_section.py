"""The report's section on the models before: the last decision in figures, and the kept models.

What does not belong here: the rule of promotion, and reading the facts of the models (promotion).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engage_pipeline.metrics import (
    INTERVAL,
    LEAST_OF_A_CLASS,
    Average,
    Interval,
    format_interval,
    format_value,
    said_of_means,
)
from engage_pipeline.model.evaluation.report import Cell, Group, Section, Table


@dataclass(frozen=True)
class Difference:
    """RCE minus that of the model before on the same rows, percent, with its 95 % interval; None if unknown."""

    rce: float
    interval: Interval | None


@dataclass(frozen=True)
class PastModel:
    """A model that predicts or has predicted: its version, when it was promoted, and its mean RCE (percent) then.

    `difference` is that of the mean RCE from the model before it, if both were scored then. `code` made it; empty if
    unknown.
    """

    version: str
    promoted: str
    rce: float | None
    predicts: bool
    difference: Difference | None = None
    code: str = ""


@dataclass(frozen=True)
class ModelHistory:
    """The last decision in words, its RCE in percent by model and engagement (and `mean`), and the differences.

    `models` are those that are kept, the latest promoted first. `scores` are those that decisions computed with
    intervals, of the candidate and of the model that predicts, each by engagement and `mean`.
    """

    decision: str = ""
    rce: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    differences: Mapping[str, Difference] = field(default_factory=dict)
    models: Sequence[PastModel] = ()
    scores: Sequence[Mapping[str, Average]] = ()

    @property
    def predicting(self) -> PastModel | None:
        """The model that predicts; None if there is none."""
        return next((model for model in self.models if model.predicts), None)


def history_section(history: ModelHistory) -> Section:
    """Makes the section; empty if no model was decided on."""
    tables = [_decision_table(history)] if history.rce else []
    tables += [_model_table(history.models)] if history.models else []
    return Section("Models before", [Group(tables=tables)])


def _decision_table(history: ModelHistory) -> Table:
    first = next(iter(history.rce.values()))
    rows: list[list[Cell | str]] = []
    for name in first:
        cells = [format_value(figures.get(name), "rce") for figures in history.rce.values()]
        rows.append([name, *cells, *(_difference_cells(history.differences.get(name)) if history.differences else ())])
    columns = ("engagement", *history.rce, *(("difference", INTERVAL) if history.differences else ()))
    caption = "RCE on the same holdout rows at the last decision. The interval is that of the difference."
    said = f"{caption} {said_of_means(history.rce)}".rstrip()
    return Table(said, columns, rows, frozenset({len(rows) - 1}))


def _model_table(models: Sequence[PastModel]) -> Table:
    rows = [
        [
            f"{model.version} (predicts)" if model.predicts else model.version,
            model.promoted,
            format_value(model.rce, "rce"),
            *_difference_cells(model.difference),
        ]
        for model in models
    ]
    columns = ("model", "promoted", "mean RCE then", "minus the one before", INTERVAL)
    caption = (
        "The models that predict or predicted, as far as they are kept. Holdout rows may differ between lines. Means "
        f"are those of decisions: without engagements with fewer than {LEAST_OF_A_CLASS} rows of a class."
    )
    return Table(caption, columns, rows)


def _difference_cells(one: Difference | None) -> tuple[str, str]:
    if one is None:
        return format_value(None, "rce"), format_interval(None, "rce")
    return format_value(one.rce, "rce"), format_interval(one.interval, "rce")
