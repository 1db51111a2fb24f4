"""Writes model-card.md, which goes with the model that predicts: what it does, was trained on, scores, and can't do.

It stands in the folder of trained_model beside the bundle, but is no part of the content that names the version. What
does not belong here: the decision (decision), and the page about all models (model.evaluation.report).
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from engage_pipeline import metrics, schema
from engage_pipeline.files.atomic import atomic_file
from engage_pipeline.files.text_templates import cell, text_template
from engage_pipeline.model.evaluation.slices import Scored, Slicing, score_slices
from engage_pipeline.model.promotion.decision import MEAN, HoldoutScore
from engage_pipeline.model.promotion.facts import (
    CANDIDATE,
    CURRENT,
    CardFigures,
    DecisionFacts,
    DifferenceFigures,
    ModelFacts,
    ScoreFigures,
    SlicedRows,
    SliceFigures,
)
from engage_pipeline.plurals import NBSP
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.file_names import MODEL_CARD
from engage_pipeline.store.store import Draft, Manifest

SLICED_BY = ("viewer and author", "language", "tweet type")
"""The slicings of the report that the card shows: cold start first."""


def provenance_figures(candidate: Manifest) -> CardFigures:
    """Returns what the manifest of a candidate alone tells, whichever version of the program made it."""
    return CardFigures(**{name: candidate.facts[name] for name in ("trees", "provenance") if name in candidate.facts})


def card_figures(candidate: Manifest, score: HoldoutScore, settings: Settings) -> CardFigures:
    """Returns what a card tells of the candidate with this score on the holdout.

    Takes about a minute for a million holdout rows: the intervals of AP.
    """
    known, holdout = provenance_figures(candidate).model_dump(), score.holdout
    if holdout is None:
        return CardFigures(**known, problem=score.problem)
    probabilities, viewers = holdout.probabilities[CANDIDATE], holdout.viewers
    plain = metrics.score(holdout.labels, probabilities, holdout.followers, edges=settings.evaluation.follower_edges)
    scores = metrics.with_intervals(plain, holdout.labels, probabilities, viewers)
    slicings = score_slices(holdout.traits, Scored(holdout.labels, probabilities, viewers))
    return CardFigures(
        **known,
        problem=score.problem,
        rows=len(viewers),
        viewers=int(viewers.max()) + 1,
        scores=dict(_scores(scores)),
        slices=list(_slices(slicings)),
    )


def _scores(scores: metrics.Scores) -> Iterator[tuple[str, ScoreFigures]]:
    for name, one in scores.engagements.items():
        case = one.overall
        yield (
            name,
            ScoreFigures(
                ap=case.ap,
                rce=case.rce,
                ap_interval=case.ap_interval,
                rce_interval=case.rce_interval,
                positives=case.positives,
            ),
        )
    mean = scores.overall_mean
    yield (
        MEAN,
        ScoreFigures(ap=mean.ap, rce=mean.rce, ap_interval=mean.ap_interval, rce_interval=mean.rce_interval),
    )


def _slices(slicings: Sequence[Slicing]) -> Iterator[SlicedRows]:
    chosen = {one.title: one for one in slicings}
    for title in SLICED_BY:
        for one in chosen[title].slices:
            figures = {
                target: SliceFigures(observed=case.share, predicted=case.predicted, rce=case.rce, margin=case.margin)
                for target, case in zip(schema.TARGETS, one.scores, strict=True)
            }
            yield SlicedRows(by=title, name=one.name, rows=one.rows, engagements=figures)


def write_model_card(draft: Draft, version: str) -> None:
    """Writes the card of the model `version` into `draft`, of trained_model, whose facts are recorded already."""
    facts = DecisionFacts.model_validate(draft.facts)
    card = facts.card or CardFigures()
    text = text_template("engage_pipeline.model.promotion", "model_card.md").render(
        version=version,
        card=card,
        provenance=card.provenance,
        counters=facts.counters or {},
        scores=[_score_row(name, one) for name, one in card.scores.items()],
        few=[name for name, one in card.scores.items() if _has_few(one, card.rows)],
        least=metrics.LEAST_OF_A_CLASS,
        decision=format_scores(facts) if CURRENT in facts.rce or facts.candidate == version else facts.decision,
        targets=schema.TARGETS,
        slices=[(by, list(map(_slice_row, rows))) for by, rows in groupby(card.slices, lambda one: one.by)],
        below=list(_below_the_rate(card.slices)),
    )
    with atomic_file(draft.path(MODEL_CARD)) as path:
        path.write_text(text, encoding="utf-8")


def format_scores(facts: ModelFacts) -> str:
    """Returns the decision and the compared scores as a Markdown table, narrow enough for Dagster's UI."""
    rce, differences = facts.rce, facts.rce_difference
    heads = ["before" if name == CURRENT else name for name in rce]
    heads += ["difference", "95 %"] if differences else []
    lines = [f"| RCE on the holdout | {' | '.join(heads)} |", "|---|" + "---:|" * len(heads)]
    for name in (*schema.TARGETS, MEAN):
        cells = [metrics.format_value(figures[name], "rce") for figures in rce.values()]
        cells += _difference(differences.get(name)) if differences else []
        lines.append(f"| {name} | {' | '.join(cells)} |")
    said = metrics.said_of_means(rce)
    return "\n".join([facts.decision, "", *lines, *(["", said] if said else [])])


def _difference(one: DifferenceFigures | None) -> tuple[str, str]:
    """Returns value and interval; the UI would break an interval with common spaces into three lines."""
    interval = metrics.format_interval(one.interval if one else None, "rce")
    return metrics.format_value(one.rce if one else None, "rce"), interval.replace(" ", NBSP)


def _score_row(name: str, one: ScoreFigures) -> list[str]:
    return [
        name,
        "" if one.positives is None else f"{one.positives:,}",
        metrics.format_value(one.ap, "ap"),
        metrics.format_interval(one.ap_interval, "ap"),
        metrics.format_value(one.rce, "rce"),
        metrics.format_interval(one.rce_interval, "rce"),
    ]


def _has_few(one: ScoreFigures, rows: int | None) -> bool:
    """Returns whether chance decides the score of an engagement; of the mean nothing is known."""
    if one.positives is None or rows is None or one.rce is None:
        return False
    return min(one.positives, rows - one.positives) < metrics.LEAST_OF_A_CLASS


def _slice_row(one: SlicedRows) -> list[str]:
    return [cell(one.name), f"{one.rows:,}", *(_slice_cell(one.engagements[target]) for target in schema.TARGETS)]


def _slice_cell(one: SliceFigures) -> str:
    score = metrics.format_value(one.rce, "rce")
    if one.rce is None:
        return score
    score += "" if one.margin is None else f" ± {metrics.format_value(one.margin, 'rce')}"
    return score if one.predicted is None else f"{score}; {one.predicted / one.observed:.2f}"


def _below_the_rate(slices: Sequence[SlicedRows]) -> Iterator[str]:
    """Yields the engagements and slices whose RCE is below 0 with its whole interval."""
    for one in slices:
        for target in schema.TARGETS:
            figures = one.engagements[target]
            if figures.rce is not None and figures.margin is not None and figures.rce + figures.margin < 0:
                yield f"{target} of {one.by} {cell(one.name)}"
