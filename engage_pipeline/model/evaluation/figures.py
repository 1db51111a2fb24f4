"""The report's sections on the model: its learning curves, feature importance and blend, and its quality."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engage_pipeline import plots, schema
from engage_pipeline.metrics import METRICS, Scores, format_value
from engage_pipeline.model.evaluation.pipeline_section import PipelineFacts
from engage_pipeline.model.evaluation.report import Figure, Group, Section, Table
from engage_pipeline.model.evaluation.scores_section import group_tables
from engage_pipeline.model.facts import BlendFigures, NetworkFacts, TreesFigures
from engage_pipeline.plots.style import CONSTANT

Labels = NDArray[np.bool_]
Probabilities = Mapping[str, NDArray[np.float64]]
"""Probabilities [n, 4] in the order of TARGETS, by model."""


LEARNING = (
    "The network's learning curve over the training rows: cross entropy, nats a row, mean of each tenth. A row's loss "
    "is taken before the network learns from it, so in the first pass over the rows it is that of unseen rows."
)


def quality_section(labels: Labels, probabilities: Probabilities, scores: Mapping[str, Scores]) -> Section:
    """Makes the section with precision and recall, calibration, and RCE by author group. `labels` [n, 4] as TARGETS."""
    fairness = Group("By follower group of the author", tables=group_tables(scores))
    groups = [
        Group(name, figures=_quality_figures(name, own, models, scores))
        for name, (own, models) in _by_engagement(labels, probabilities).items()
    ]
    return Section("Quality", [fairness, *groups])


def quality_plots(labels: Labels, probabilities: Probabilities) -> dict[str, bytes]:
    """Plots calibration, and precision and recall, of all engagements, in one picture each."""
    cases = _by_engagement(labels, probabilities)
    own = {name: labels for name, (labels, _) in cases.items()}
    models = {name: models for name, (_, models) in cases.items()}
    return {
        "calibration": plots.calibrations(own, models, title="Share of positives against predicted probability"),
        "precision and recall": plots.precision_recalls(own, models, title="Precision against recall"),
    }


def _by_engagement(
    labels: Labels, probabilities: Probabilities
) -> dict[str, tuple[NDArray[np.bool_], dict[str, NDArray[np.float64]]]]:
    """Returns labels [n] and each model's probabilities [n] by engagement, without the constant model."""
    return {
        name: (labels[:, i], {model: values[:, i] for model, values in probabilities.items() if model != CONSTANT})
        for i, name in enumerate(schema.TARGETS)
    }


def _quality_figures(name: str, labels: Labels, models: Probabilities, scores: Mapping[str, Scores]) -> list[Figure]:
    drawn = (
        (
            plots.precision_recall(labels, models, title=f"{name}: precision and recall"),
            "Precision against recall; the grey line is the share of positives.",
        ),
        (
            plots.calibration(labels, models, title=f"{name}: calibration"),
            "Share of positives against mean predicted probability, in bins of about equally many rows, with 95 % "
            "intervals; equal predictions share a bin. On the diagonal, probabilities mean what they say.",
        ),
        (
            plots.group_scores(scores, name, title=f"{name}: RCE by follower group"),
            "Relative cross entropy of each model by the number of the author's followers.",
        ),
    )
    return [Figure(name, caption, svg) for svg, caption in drawn]


def model_section(facts: PipelineFacts) -> Section:
    """Makes the section with learning curves of networks and trees, feature importance and blend weights."""
    trees = facts.engagement_trees.engagements if facts.engagement_trees else {}
    blend = facts.candidate_model.engagements if facts.candidate_model else {}
    holdout = facts.finetuned_network.holdout if facts.finetuned_network else {}
    learning = [*_network_figures(facts), *_tree_curves(trees)]
    tables = [*_row_tables(facts), *([holdout_table(holdout)] if holdout else [])]
    importance = [
        Figure(
            f"Importance for {name}",
            f"Share of each column in the gain of the most important columns of the trees, for {name}.",
            plots.feature_importance(one.gain, title=f"Trees: what decides {name}", top=15),
        )
        for name, one in trees.items()
        if one.gain
    ]
    return Section(
        "Model",
        [
            Group("Learning", tables=tables, figures=learning),
            Group("What the trees look at", figures=importance),
            Group("The blend of network, trees and effects", tables=[blend_table(blend)] if blend else []),
        ],
    )


def _network_figures(facts: PipelineFacts) -> list[Figure]:
    networks = (facts.pretrained_network, "training rows"), (facts.finetuned_network, "fine-tuning rows")
    return [
        Figure(
            f"Network, {title}",
            f"Mean loss over the {title} seen since the point before, each taken before the network learned from it.",
            plots.network_curve(network.curve, rows=network.rows, title=f"Network: {title}"),
        )
        for network, title in networks
        if network and network.curve
    ]


def _row_tables(facts: PipelineFacts) -> list[Table]:
    network = facts.pretrained_network
    return [learning_table(network)] if network and network.curve else []


def learning_table(network: NetworkFacts) -> Table:
    """Makes the table of the mean losses of each tenth of the rows that trained a network."""
    steps = np.array([point["step"] for point in network.curve])
    losses = np.array([[point[name] for name in schema.TARGETS] for point in network.curve])
    weights = np.diff(steps, prepend=0)
    tenths = np.ceil(10 * steps / steps[-1]).astype(int)
    rows = []
    for tenth in np.unique(tenths):
        chosen = tenths == tenth
        means = np.average(losses[chosen], axis=0, weights=weights[chosen])
        rows.append([f"{network.rows * steps[chosen][-1] / steps[-1]:,.0f}", *(f"{mean:.4f}" for mean in means)])
    return Table(LEARNING, ("rows seen", *schema.TARGETS), rows)


def _tree_curves(trees: Mapping[str, TreesFigures]) -> list[Figure]:
    """Plots the loss by tree of the engagements that have trees; the caption names the others, and why."""
    curves = {
        name: [(trees_grown, 100 * (loss / one.curve[0] - 1)) for trees_grown, loss in enumerate(one.curve)]
        for name, one in trees.items()
        if len(one.curve) > 1 and one.trees != 0
    }
    if not curves:
        return []
    title, label = "Trees: out-of-fold loss", "change of the log loss, %"
    svg = plots.learning_curves(curves, title=title, x_label="trees", y_label=label)
    caption = (
        "Log loss on rows that the trees were not grown on, after each tree, against that of the logits of network and "
        "effects from which they start."
    )
    if without := [f"{name} ({_why_none(one)})" for name, one in trees.items() if name not in curves]:
        caption += f" Without trees: {', '.join(without)}."
    return [Figure("Trees", caption, svg)]


def holdout_table(holdout: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> Table:
    """Makes the table of the network's AP and RCE on the holdout, before and after fine-tuning (keys of `holdout`)."""
    rows = [
        [name, *(format_value(one[name][metric], metric) for metric in METRICS for one in holdout.values())]
        for name in schema.TARGETS
    ]
    columns = ("engagement", *(f"{title} {when}" for title in METRICS.values() for when in holdout))
    return Table("The network on the holdout before and after fine-tuning.", columns, rows)


BLEND_COLUMNS = (
    "engagement",
    "network",
    "trees",
    "effects",
    "loss of the network",
    "of the trees",
    "of the effects",
    "of the blend",
    "best alone",
    "gain over it",
    "standard error",
)
BLENDED = ("network", "trees", "effects", "blend")


def blend_table(engagements: Mapping[str, BlendFigures]) -> Table:
    """Makes the table of the blend weights by engagement, and of the log loss on the rows of their choice."""
    rows = [
        [
            name,
            *(f"{weight:.3f}" for weight in (one.network_weight, one.trees_weight, one.effects_weight)),
            *(f"{one.log_loss[model]:.5f}" if model in one.log_loss else "" for model in BLENDED),
            one.best_alone,
            f"{round(one.gain, 5) + 0.0:.5f}",  # + 0.0: a gain of -0.0000001 is shown as 0.00000, without a sign
            f"{one.gain_error:.5f}",
        ]
        for name, one in engagements.items()
    ]
    return Table(
        "Weights of the logits, and log loss (nats a row) on the rows they were chosen on. Few rows move them little "
        "from weights that are good elsewhere.",
        BLEND_COLUMNS,
        rows,
    )


def _why_none(one: TreesFigures) -> str:
    """Returns why an engagement has no trees; where the start alone had the least loss, the reason is that."""
    return one.reason if one.reason and len(one.curve) != 1 else "none lowered the loss"
