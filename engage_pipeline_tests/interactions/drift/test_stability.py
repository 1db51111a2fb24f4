"""The population stability index by hand and against plain Python, and which parts are told of."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engage_pipeline.interactions.drift.profile import write_profile
from engage_pipeline.interactions.drift.stability import (
    COMPARABLE_FEATURES,
    chance,
    drifted_parts,
    improbable_languages,
    part_drift,
    profile_drift,
    stability_index,
    tabulated,
    unseen_languages,
    window_drift,
)
from engage_pipeline_tests.samples import feature_table, tiny_settings

Bins = Mapping[str, int]
STARTS = np.array([0])


def index_of(ours: Bins, theirs: Bins) -> float:
    table = tabulated([{"x": ours}, {"x": theirs}])
    return float(stability_index(table.counts[:1], table.counts[1:], table.starts)[0, 0])


def slow_index(ours: Bins, theirs: Bins) -> float:
    """The definition, bin by bin, with half a row added to each bin that either side has."""
    names = [name for name in {*ours, *theirs} if ours.get(name, 0) + theirs.get(name, 0) > 0]
    n, m = (sum(side.get(name, 0) + 0.5 for name in names) for side in (ours, theirs))
    total = 0.0
    for name in names:
        p, q = (ours.get(name, 0) + 0.5) / n, (theirs.get(name, 0) + 0.5) / m
        total += (p - q) * math.log(p / q)
    return total


def test_by_hand() -> None:
    # p = 1/2, 1/2 and q = 1/4, 3/4: 1/4 ln 2 - 1/4 ln 2/3 = 1/4 ln 3
    many = 10**9
    assert index_of({"a": many, "b": many}, {"a": many, "b": 3 * many}) == pytest.approx(math.log(3) / 4, abs=1e-6)
    # with the half rows: p = 3/4, 1/4 and q = 1/4, 3/4: ln 3
    assert index_of({"a": 1}, {"b": 1}) == pytest.approx(math.log(3))


BINS = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 10_000), min_size=1)


@settings(deadline=None)
@given(ours=BINS, theirs=BINS)
def test_against_plain_python(ours: Bins, theirs: Bins) -> None:
    found = index_of(ours, theirs)
    assert found == pytest.approx(slow_index(ours, theirs), abs=1e-12)
    assert found >= -1e-15
    assert found == index_of(theirs, ours)
    assert index_of(ours, ours) == 0


def test_features_do_not_touch_each_other() -> None:
    ours = {"x": {"a": 10, "b": 90}, "y": {"a": 5, "b": 5}}
    theirs = {"x": {"a": 50, "b": 50}, "y": {"b": 3}}
    table = tabulated([ours, theirs])
    (found,) = stability_index(table.counts[:1], table.counts[1:], table.starts)
    assert table.features == ["x", "y"]
    assert found.tolist() == pytest.approx([slow_index(ours[name], theirs[name]) for name in "xy"])


@pytest.mark.parametrize(("n", "m", "bins"), [(100, 100, 3), (1000, 4000, 20), (30_000, 300, 10)])
def test_chance_covers_two_samples_of_one_population(n: int, m: int, bins: int) -> None:
    rng = np.random.default_rng(bins)
    shares = rng.dirichlet(np.full(bins, 5.0))
    ours, theirs = (rng.multinomial(size, shares, 2000).astype(float) for size in (n, m))
    index, explained = stability_index(ours, theirs, STARTS)[:, 0], chance(ours, theirs, STARTS)[:, 0]
    beyond = float((index > explained).mean())
    assert beyond < 0.03
    assert index.mean() == pytest.approx((bins - 1) * (1 / n + 1 / m), rel=0.25)


def profile_at(folder: Path, name: str, rows: pa.Table) -> Path:
    pq.write_table(rows, folder / f"{name}.parquet")
    write_profile(folder / f"{name}.parquet", folder / f"{name}.profile.parquet", tiny_settings(folder))
    return folder / f"{name}.profile.parquet"


def multiplied(rows: pa.Table, name: str, factor: int) -> pa.Table:
    field = rows.field(name)
    return rows.set_column(rows.column_names.index(name), field, pa.array(rows[name].to_numpy() * factor, field.type))


def test_the_part_that_differs_is_told_of_and_no_other(tmp_path: Path) -> None:
    parts = {f"part-{i}": feature_table(1000, i) for i in range(4)}
    parts["part-1"] = multiplied(parts["part-1"], "pair_like", 100)
    parts["part-2"] = multiplied(multiplied(parts["part-2"], "n_tokens", 7), "pair_like", 3)
    paths = {name: profile_at(tmp_path, name, rows) for name, rows in parts.items()}
    found = drifted_parts(paths, 0.25)
    assert found.keys() == {"part-1", "part-2"}
    assert found["part-1"].keys() == {"pair_like"}
    assert found["part-2"].keys() == {"pair_like", "n_tokens"}
    assert drifted_parts({name: path for name, path in paths.items() if name in {"part-0", "part-3"}}, 0.25) == {}


def test_where_most_parts_drift_they_are_held_against_the_half_that_drifts_least(tmp_path: Path) -> None:
    """Values of four parts far from each other; a single one that is left would make all others seem far from it."""
    factors = (1, 1, 30, 900)
    parts = {f"part-{i}": multiplied(feature_table(1000, i), "n_tokens", n) for i, n in enumerate(factors)}
    found = drifted_parts({name: profile_at(tmp_path, name, rows) for name, rows in parts.items()}, 0.25)
    assert found.keys() == {"part-2", "part-3"}
    alike = {f"part-{i}": multiplied(feature_table(1000, i), "n_tokens", 30**i) for i in range(4)}
    values = {name: rows["n_tokens"].to_pylist() for name, rows in alike.items()}
    found = drifted_parts({name: profile_at(tmp_path, name, rows) for name, rows in alike.items()}, 0.25)
    assert found.keys() == set(alike)
    kept = [name for name in alike if name not in list(found)[:2]]  # the first are those that were taken away
    for name, index in found.items():
        others = [value for other in kept if other != name for value in values[other]]
        assert index["n_tokens"] == pytest.approx(slow_index(counted(values[name]), counted(others)))


def test_small_parts_differ_by_chance_and_are_not_told_of(tmp_path: Path) -> None:
    paths = {f"part-{i}": profile_at(tmp_path, f"part-{i}", feature_table(40, i)) for i in range(4)}
    assert max(value for index in part_drift(paths).values() for value in index.values()) > 0.25
    assert drifted_parts(paths, 0.25) == {}


def test_each_part_is_held_against_all_the_others(tmp_path: Path) -> None:
    parts = {f"part-{i}": multiplied(feature_table(400, i), "n_tokens", 1 + i) for i in range(3)}
    found = part_drift({name: profile_at(tmp_path, name, rows) for name, rows in parts.items()})
    values = {name: rows["n_tokens"].to_pylist() for name, rows in parts.items()}
    for name in parts:
        others = [value for other in parts for value in values[other] if other != name]
        expected = slow_index(counted(values[name]), counted(others))
        assert found[name]["n_tokens"] == pytest.approx(expected)


def counted(values: list[int]) -> dict[str, int]:
    bins: dict[str, int] = {}
    for value in values:
        name = "zero" if value == 0 else str(math.floor(2 * math.log2(value) + 1e-9))
        bins[name] = bins.get(name, 0) + 1
    return bins


def test_one_part_alone_has_nothing_to_be_held_against(tmp_path: Path) -> None:
    path = profile_at(tmp_path, "part-0", feature_table(100, 1))
    assert part_drift({"part-0": path}) == {}
    assert drifted_parts({"part-0": path}, 0.25) == {}
    assert part_drift({}) == drifted_parts({}, 0.25) == {}


def test_of_a_window_only_what_rows_tell_by_themselves_is_compared(tmp_path: Path) -> None:
    training = [profile_at(tmp_path, f"part-{i}", feature_table(1000, i)) for i in range(2)]
    shifted = multiplied(multiplied(feature_table(1000, 9), "valid_pair_like", 50), "n_hashtags", 50)
    found = window_drift([profile_at(tmp_path, "window", shifted)], training)
    assert "valid_pair_like" not in found
    beyond = {name for name, (value, noise) in found.items() if value > 0.25 + noise}
    assert beyond == {"n_hashtags"}


def test_languages_that_nobody_else_has() -> None:
    known = {"en": 900, "ja": 100}
    window = {"en": 40, "xx": 20, "yy": 1, "(missing)": 5, "(others)": 2}
    assert unseen_languages(window, known) == {"xx": 20, "yy": 1}
    # a row is one of this window's with probability 68 / 1068: one such row is chance, twenty are not
    assert improbable_languages(window, known) == {"xx": 20}
    assert improbable_languages({"xx": 3}, {}) == {}


def test_nothing_drifts_where_no_row_is_left() -> None:
    some = {name: {"1": 5} for name in COMPARABLE_FEATURES}
    assert profile_drift({}, some) == profile_drift(some, {}) == {}
    assert profile_drift(some, some).keys() == set(COMPARABLE_FEATURES)


def test_parts_without_rows_have_nothing_that_drifts(tmp_path: Path) -> None:
    paths = {name: profile_at(tmp_path, name, feature_table(1, 1).slice(0, 0)) for name in ("part-0", "part-1")}
    assert drifted_parts(paths, 0.25) == {}
    assert part_drift(paths) == {"part-0": {}, "part-1": {}}
