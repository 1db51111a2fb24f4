"""Small SVG plots in one visual style, for the report and for Dagster's metadata.

Each function takes plain data and returns the bytes of an SVG file under 100 KB, the same bytes for the same data.
"""

from engage_pipeline.plots.bars import (
    feature_importance,
    group_scores,
    part_sizes,
    rejected_reasons,
    similarity_degrees,
    table_rows,
)
from engage_pipeline.plots.clusters import cluster_shares
from engage_pipeline.plots.curves import (
    label_rates,
    label_rates_by_day,
    learning_curves,
    loss_curve,
    network_curve,
)
from engage_pipeline.plots.drift import drift
from engage_pipeline.plots.quality import (
    Bin,
    calibration,
    calibrations,
    precision_recall,
    precision_recalls,
    quantile_bins,
)
from engage_pipeline.plots.style import as_data_uri, as_markdown, size_of
from engage_pipeline.plots.text import code_occupancy, token_frequencies

__all__ = [
    "Bin",
    "as_data_uri",
    "as_markdown",
    "calibration",
    "calibrations",
    "cluster_shares",
    "code_occupancy",
    "drift",
    "feature_importance",
    "group_scores",
    "label_rates",
    "label_rates_by_day",
    "learning_curves",
    "loss_curve",
    "network_curve",
    "part_sizes",
    "precision_recall",
    "precision_recalls",
    "quantile_bins",
    "rejected_reasons",
    "similarity_degrees",
    "size_of",
    "table_rows",
    "token_frequencies",
]
