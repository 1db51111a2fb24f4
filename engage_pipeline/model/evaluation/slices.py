"""Slices of the holdout rows: by language, tweet type, new viewers and authors, day, and the viewer's history.

What belongs here: which slice a row belongs to, and the scores of one model on each. What does not: the follower groups
(metrics), and the tables (scores_section).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engage_pipeline import metrics, schema
from engage_pipeline.model.evaluation.fairness import rce_with_error

LANGUAGE, VIEWER_ROWS, AUTHOR_ROWS = "language", "viewer_exposures", "author_exposures"
"""The last two count the training rows of the row's viewer and author."""
TYPES = {"is_top_level": "TopLevel", "is_retweet": "Retweet", "is_quote": "Quote"}
OTHER_TYPE = "Reply or unknown"
SLICED_COLUMNS = (LANGUAGE, *TYPES, VIEWER_ROWS, AUTHOR_ROWS, schema.ENGAGEMENT_DAY)
"""The columns of validation_features that decide on the slices."""
MOST_LANGUAGES = 10
HISTORY_EDGES = (1, 2, 5, 10, 20, 50)
NORMAL_95 = 1.96
"""Standard errors on both sides of a 95 % interval of a normal variable."""


@dataclass(frozen=True)
class SliceScore:
    """One engagement on the rows of a slice: share of positives, AP, and RCE in percent plus or minus `margin` (95 %).

    `predicted` is the mean probability, None where it was not computed. AP, RCE and margin are None with fewer than
    metrics.LEAST_OF_A_CLASS positives or negatives, the margin also where all rows are of one viewer.
    """

    share: float
    ap: float | None = None
    rce: float | None = None
    margin: float | None = None
    predicted: float | None = None


@dataclass(frozen=True)
class Slice:
    """A slice that has rows, with its scores in the order of TARGETS."""

    name: str
    rows: int
    scores: tuple[SliceScore, ...]


@dataclass(frozen=True)
class Slicing:
    """All rows, cut into slices by one trait."""

    title: str
    slices: tuple[Slice, ...]


@dataclass(frozen=True)
class Scored:
    """Rows and the probabilities of one model: labels bool [n, 4], probabilities float64 [n, 4], viewers int [n]."""

    labels: NDArray[np.bool_]
    probabilities: NDArray[np.float64]
    viewers: NDArray[np.int64]


def score_slices(traits: pa.Table, scored: Scored) -> tuple[Slicing, ...]:
    """Scores each slice of each slicing; `traits` holds SLICED_COLUMNS of the same rows."""
    return tuple(
        Slicing(title, tuple(_scored_slices(names, places, scored))) for title, names, places in _slicings(traits)
    )


Places = NDArray[np.integer]
"""The slice of each row, as a place in the list of names, int [n]."""


def _slicings(traits: pa.Table) -> Iterator[tuple[str, Sequence[str], Places]]:
    yield "language", *_by_language(traits[LANGUAGE])
    flags = [traits[name].to_numpy() for name in TYPES]
    yield "tweet type", [*TYPES.values(), OTHER_TYPE], np.select(flags, range(len(flags)), len(flags))
    viewer_rows, author_rows = (traits[name].to_numpy() for name in (VIEWER_ROWS, AUTHOR_ROWS))
    known = ["both have training rows", "new viewer", "new author", "new viewer and new author"]
    yield "viewer and author", known, (viewer_rows == 0) + 2 * (author_rows == 0)
    days, places = np.unique(traits[schema.ENGAGEMENT_DAY].to_numpy(), return_inverse=True)
    yield "engagement day (UTC)", [str(np.datetime64(int(day), "D")) for day in days], places
    yield "training rows of the viewer", _history_names(), np.searchsorted(HISTORY_EDGES, viewer_rows, side="right")


def _by_language(languages: pa.ChunkedArray) -> tuple[list[str], Places]:
    """Cuts the rows into the MOST_LANGUAGES most frequent languages, by name where they tie, and the others."""
    encoded = pc.fill_null(languages, "unknown").combine_chunks().dictionary_encode()
    names, codes = encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
    counts = np.bincount(codes, minlength=len(names))
    order = sorted(range(len(names)), key=lambda code: (-counts[code], names[code]))
    kept, others = order[:MOST_LANGUAGES], order[MOST_LANGUAGES:]
    places = np.full(len(names), len(kept))
    places[kept] = np.arange(len(kept))
    return [*(names[code] for code in kept), f"{len(others)} others"], places[codes]


def _history_names() -> list[str]:
    between = [str(low) if high == low + 1 else f"{low} to {high - 1}" for low, high in pairwise(HISTORY_EDGES)]
    return ["none", *between, f"{HISTORY_EDGES[-1]} or more"]


def _scored_slices(names: Sequence[str], places: Places, scored: Scored) -> Iterator[Slice]:
    order = np.argsort(places, kind="stable")
    ends = np.cumsum(np.bincount(places, minlength=len(names)))
    for name, rows in zip(names, np.split(order, ends[:-1]), strict=True):
        if len(rows):
            viewers = scored.viewers[rows]
            pairs = zip(scored.labels[rows].T, scored.probabilities[rows].T, strict=True)
            yield Slice(name, len(rows), tuple(_slice_score(*pair, viewers) for pair in pairs))


def _slice_score(
    labels: NDArray[np.bool_], probabilities: NDArray[np.float64], viewers: NDArray[np.int64]
) -> SliceScore:
    share, positives, predicted = float(labels.mean()), int(labels.sum()), float(probabilities.mean())
    if min(positives, len(labels) - positives) < metrics.LEAST_OF_A_CLASS:
        return SliceScore(share, predicted=predicted)
    rce, error = rce_with_error(labels, probabilities, viewers)
    margin = NORMAL_95 * error if np.ptp(viewers) else None
    return SliceScore(share, metrics.average_precision(labels, probabilities), rce, margin, predicted)
