"""The pictures of the evaluation report, from labels, probabilities and the facts of the training artifacts."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engage_pipeline import plots, schema
from engage_pipeline.metrics import Scores
from engage_pipeline.model.report import Figure
from engage_pipeline.plots.style import CONSTANT


def quality_figures(
    labels: NDArray[np.bool_], probabilities: Mapping[str, NDArray[np.float64]], scores: Mapping[str, Scores]
) -> list[Figure]:
    """For each engagement: precision and recall, calibration, RCE by follower group.

    `labels` and each model's `probabilities` are [n, 4], in the order of TARGETS.
    """
    figures = []
    for place, name in enumerate(schema.TARGETS):
        own = labels[:, place]
        models = {model: values[:, place] for model, values in probabilities.items() if model != CONSTANT}
        drawn = (
            (
                plots.precision_recall(own, models, title=f"{name}: precision and recall"),
                "Precision against recall; the grey line is the share of positives.",
            ),
            (
                plots.calibration(own, models, title=f"{name}: calibration"),
                "Share of positives against mean predicted probability, in bins of equally many rows, with 95 % "
                "intervals. On the diagonal, probabilities mean what they say.",
            ),
            (
                plots.group_scores(scores, name, title=f"{name}: RCE by follower group"),
                "Relative cross entropy of each model by the number of the author's followers.",
            ),
        )
        figures += [Figure(name, caption, png, section=name) for png, caption in drawn]
    return figures


def training_figures(training: Mapping[str, Mapping[str, Any]]) -> list[Figure]:
    """Learning curves of the networks and of the trees, and what the trees look at, from the artifacts' facts."""
    figures: list[tuple[bytes, str]] = []
    for artifact, title in (("pretrained_network", "training rows"), ("finetuned_network", "fine-tuning rows")):
        if curve := training.get(artifact, {}).get("curve"):
            figures.append((plots.network_curve(curve, title=f"Network: {title}"), f"Loss over the steps on {title}."))
    trees = training.get("engagement_trees", {}).get("engagements", {})
    curves = {name: list(enumerate(one["curve"], start=1)) for name, one in trees.items() if one.get("curve")}
    if curves:
        png = plots.learning_curves(
            curves,
            title="Trees: out-of-fold loss",
            x_label="trees",
            y_label="log loss, nats a row",
            logarithmic=True,
        )
        figures.append((png, "Loss of the trees on rows that they were not grown on, after each tree."))
    for name, one in trees.items():
        if gain := one.get("gain"):
            png = plots.feature_importance(gain, title=f"Trees: what decides {name}", top=15)
            figures.append((png, f"Share of each column in the gain of the most important columns, for {name}."))
    return [Figure("Learning", caption, png, section="Learning") for png, caption in figures]
