"""Small PNG plots in one visual style, for the report and for Dagster's metadata.

Each function takes plain data and returns the bytes of a PNG file under 100 KB, the same bytes for the same data.
matplotlib is imported when the first plot is drawn.
"""

from engage_pipeline.plots.bars import feature_importance, group_scores, rejected_reasons, similarity_degrees
from engage_pipeline.plots.curves import label_rates, learning_curves, loss_curve, network_curve
from engage_pipeline.plots.quality import Bin, calibration, precision_recall, quantile_bins
from engage_pipeline.plots.style import as_data_uri, as_markdown

__all__ = [
    "Bin",
    "as_data_uri",
    "as_markdown",
    "calibration",
    "feature_importance",
    "group_scores",
    "label_rates",
    "learning_curves",
    "loss_curve",
    "network_curve",
    "precision_recall",
    "quantile_bins",
    "rejected_reasons",
    "similarity_degrees",
]
