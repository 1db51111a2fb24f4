"""Drift: how far the features of a part, or of a window, differ from those of the rest of the training set.

    part_drift({"part-00000": path, …})["part-00003"]["n_tokens"]        # population stability index
    drifted_parts(paths, limit=0.25)                                       # only those above the limit

Profiles suffice for all of this, so that hundreds of parts are compared in a second. What does not belong here:
binning rows (profile).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engage_pipeline.interactions.drift.profile import HOUR, LANGUAGE, MISSING, OTHERS, Profile, added, read_profile
from engage_pipeline.numerics.outliers import Kept, outliers
from engage_pipeline.plurals import counted, first_few
from engage_pipeline.schema import BINARY_FEATURES, PROFILE_NUMBERS

Counts = NDArray[np.float64]
COMPARABLE_FEATURES = (*PROFILE_NUMBERS, *BINARY_FEATURES, HOUR, LANGUAGE)
"""Features of the row itself. Counters differ between the windows on purpose: see docs/specification.md, section 4."""
EMPTY_BIN = 0.5
"""Rows added to each bin, so that a bin that is empty on one side has a finite logarithm."""
IMPROBABLE = 1e-6
_FEATURES_NAMED, _LANGUAGES_NAMED = 3, 5


@dataclass(frozen=True)
class ProfileTable:
    """Rows by profile and cell. A cell is a bin of a feature; the cells of feature i begin at `starts[i]`."""

    features: list[str]
    starts: NDArray[np.int64]
    counts: Counts


def part_drift(profiles: Mapping[str, Path]) -> dict[str, dict[str, float]]:
    """Returns the population stability index of each feature of each part against all other parts, from their profiles.

    Empty if there are fewer than two parts.
    """
    if len(profiles) < 2:
        return {}
    table = tabulated([read_profile(path) for path in profiles.values()])
    index = stability_index(table.counts, table.counts.sum(axis=0) - table.counts, table.starts)
    return {
        part: dict(zip(table.features, row.tolist(), strict=True)) for part, row in zip(profiles, index, strict=True)
    }


def drifted_parts(profiles: Mapping[str, Path], limit: float) -> dict[str, dict[str, float]]:
    """Returns parts with features whose index exceeds `limit` by more than chance explains, worst feature first.

    They are compared with the others that do not drift, or drift least if more than half do. Empty if no part has a
    row.
    """
    parts = list(profiles)
    table = tabulated([read_profile(path) for path in profiles.values()])
    if not table.features:
        return {}

    def excess(counts: Counts, others: Counts) -> Counts:
        index = stability_index(counts, others, table.starts)
        return index - limit - chance(counts, others, table.starts)

    def worst(kept: Kept) -> NDArray[np.float64]:
        counts = table.counts[kept]
        return excess(counts, counts.sum(axis=0) - counts).max(axis=1)

    taken, rest = outliers(len(parts), worst, least=(len(parts) + 1) // 2)
    found = {}
    for place in [*taken, *np.flatnonzero(rest).tolist()]:
        own = table.counts[[place]]
        others = table.counts[rest].sum(axis=0) - own * rest[place]
        (index,), (beyond,) = stability_index(own, others, table.starts), excess(own, others)
        order = [i for i in np.argsort(-index, kind="stable").tolist() if beyond[i] > 0]
        found[parts[place]] = {table.features[i]: float(index[i]) for i in order}
    return {part: features for part, features in found.items() if features}


def window_drift(window: Sequence[Path], training: Sequence[Path]) -> dict[str, tuple[float, float]]:
    """Returns, for each of COMPARABLE_FEATURES, the index of the rows of `window` against the training rows, and how
    much of it chance explains; from the profiles of both. Empty if either has no rows."""
    return profile_drift(*(added([read_profile(path) for path in paths]) for paths in (window, training)))


def profile_drift(window: Profile, training: Profile) -> dict[str, tuple[float, float]]:
    """Does the same as window_drift for one profile of each."""
    if not (window and training):
        return {}
    table = tabulated([_comparable(profile) for profile in (window, training)])
    ours, theirs = table.counts[:1], table.counts[1:]
    index, noise = stability_index(ours, theirs, table.starts)[0], chance(ours, theirs, table.starts)[0]
    return dict(zip(table.features, zip(index.tolist(), noise.tolist(), strict=True), strict=True))


def _comparable(profile: Profile) -> Profile:
    return {name: profile[name] for name in COMPARABLE_FEATURES}


def tabulated(profiles: Sequence[Profile]) -> ProfileTable:
    """Returns the profiles as one table, a row each, over all bins that occur in any of them."""
    total = added(list(profiles))
    cells = [(feature, name) for feature, bins in total.items() for name in sorted(bins)]
    counts = np.array([[profile.get(feature, {}).get(name, 0) for feature, name in cells] for profile in profiles])
    sizes = np.array([len(bins) for bins in total.values()], dtype=np.int64)
    return ProfileTable(list(total), np.cumsum(sizes) - sizes, counts.astype(np.float64))


def stability_index(counts: Counts, others: Counts, starts: NDArray[np.int64]) -> Counts:
    """Returns the population stability index [n, features] of rows by cell [n, cells] against `others` [n, cells].

    It is the sum over the bins of a feature of (p - q) ln(p / q), with the shares p and q of the bin on the two sides;
    EMPTY_BIN is added to every bin with rows on either side. 0 = the same, 0.1 to 0.25 = some drift, more = another
    population (N. Siddiqi: Credit Risk Scorecards, 2006). It is the sum of both Kullback-Leibler divergences
    (S. Kullback, R. Leibler: On information and sufficiency, 1951).
    """
    occupied = counts + others > 0
    p, q = (_shares(side, occupied, starts) for side in (counts, others))
    return np.add.reduceat(np.where(occupied, (p - q) * (np.log(p) - np.log(q)), 0.0), starts, axis=1)


def _shares(counts: Counts, occupied: Kept, starts: NDArray[np.int64]) -> Counts:
    raised = np.where(occupied, counts + EMPTY_BIN, 0.0)
    totals = np.add.reduceat(raised, starts, axis=1)
    return np.where(occupied, raised / np.maximum(_spread(totals, starts, counts), EMPTY_BIN), 1.0)


def _spread(values: Counts, starts: NDArray[np.int64], cells: Counts) -> Counts:
    return np.repeat(values, np.diff([*starts, cells.shape[1]]), axis=1)


def chance(counts: Counts, others: Counts, starts: NDArray[np.int64]) -> Counts:
    """Returns a bound [n, features] that chance exceeds once in some hundred pairs of samples of one population.

    The index is (1/n + 1/m) times a chi-square variable with (bins - 1) degrees of freedom (B. Yurdakul: Statistical
    Properties of Population Stability Index, 2018). The bound is its mean plus three standard deviations.
    """
    n, m = (np.maximum(np.add.reduceat(side, starts, axis=1), 1.0) for side in (counts, others))
    freedom = np.add.reduceat((counts + others > 0).astype(np.float64), starts, axis=1) - 1
    return (1 / n + 1 / m) * (freedom + 3 * np.sqrt(2 * np.maximum(freedom, 0)))


def unseen_languages(window: Mapping[str, int], known: Mapping[str, int]) -> dict[str, int]:
    """Returns the rows of `window` by language, most first, for languages without a row in `known`."""
    unseen = {name: rows for name, rows in window.items() if name not in {*known, MISSING, OTHERS}}
    return dict(sorted(unseen.items(), key=lambda item: (-item[1], item[0])))


def improbable_languages(window: Mapping[str, int], known: Mapping[str, int]) -> dict[str, int]:
    """Returns the unseen languages whose rows would hardly all fall into `window` by chance.

    By chance, a row falls into `window` with a probability of share = rows of `window` / all rows; all `rows` of a
    language do with a probability of share ^ rows.
    """
    share = sum(window.values()) / max(1, sum(window.values()) + sum(known.values()))
    return {name: rows for name, rows in unseen_languages(window, known).items() if share**rows < IMPROBABLE}


def worst_in_words(index: Mapping[str, float]) -> str:
    """Names the first features of `index`, which is in order, with their population stability index."""
    named = ", ".join(f"{name} {value:.2f}" for name, value in list(index.items())[:_FEATURES_NAMED])
    more = len(index) - _FEATURES_NAMED
    return f"population stability index of {named}" + (f" and {counted(more, 'more feature')}" if more > 0 else "")


def rows_in_words(rows: Mapping[str, int]) -> str:
    """Names the first languages of `rows`, with their rows."""
    return first_few([f"{name} ({counted(count, 'row')})" for name, count in rows.items()], _LANGUAGES_NAMED)
