"""The bins of a profile against logarithms one by one, and what is sampled and what is counted whole."""

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.interactions.drift import profile
from engage_pipeline.interactions.drift.profile import added, read_profile, write_profile
from engage_pipeline_tests.samples import feature_table, tiny_settings


def profile_of(folder: Path, rows: pa.Table) -> profile.Profile:
    pq.write_table(rows, folder / "features.parquet")
    write_profile(folder / "features.parquet", folder / "profile.parquet", tiny_settings(folder))
    return read_profile(folder / "profile.parquet")


def with_values(rows: pa.Table, name: str, values: list[object]) -> pa.Table:
    return rows.set_column(rows.column_names.index(name), rows.field(name), pa.array(values, rows.field(name).type))


def slow_bin(value: float) -> str:
    if value == 0:
        return "0"
    if value < 0:
        return "<0"
    half_octave = min(max(math.floor(2 * math.log2(value) + 1e-6), -20), 80)
    return f"{math.sqrt(2) ** half_octave:.6g}"


def test_numbers_fall_into_half_octaves(tmp_path: Path) -> None:
    counts = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 1000, 2**30, -3]
    sums = [0.0, 0.0005, 0.001, 0.1, 0.3, 0.5, 0.7, 0.71, 0.99, 1.0, 1.41, 1.42, 2.0, 2.9, 64.0, 1e-6]
    rows = with_values(feature_table(16, 1), "pair_like", counts)
    found = profile_of(tmp_path, with_values(rows, "similar_jaccard_sum", sums))
    assert found["pair_like"] == Counter(map(slow_bin, counts))
    assert found["similar_jaccard_sum"] == Counter(map(slow_bin, sums))
    assert found["pair_like"]["1"] == 1
    assert found["pair_like"]["2"] == 1
    assert found["pair_like"]["2.82843"] == 1
    assert found["pair_like"]["4"] == 2


def test_every_feature_has_a_bin_for_every_row(tmp_path: Path) -> None:
    rows = feature_table(500, 2, labelled=False)
    found = profile_of(tmp_path, rows)
    expected = {*schema.NUMBERS, *schema.EXPOSURE_FEATURES, *schema.BINARY_FEATURES, "hour", "language"}
    assert found.keys() == expected
    assert {sum(bins.values()) for bins in found.values()} == {500}
    assert found["hour"] == Counter(str(hour) for hour in rows["hour"].to_pylist())
    assert found["has_gif"] == Counter("true" if flag else "false" for flag in rows["has_gif"].to_pylist())
    assert found["n_tokens"] == Counter(map(slow_bin, rows["n_tokens"].to_pylist()))


def test_many_rows_are_sampled_evenly_but_every_language_is_counted(tmp_path: Path) -> None:
    count = profile.SAMPLE_ROWS + 1000
    rows = feature_table(1000, 3)
    many = pa.concat_tables([rows] * (count // 1000)).slice(0, count)
    many = with_values(many, schema.LINE_NUMBER, list(range(len(many))))
    many = with_values(many, "language", [None] + ["rare"] + ["common"] * (len(many) - 2))
    found = profile_of(tmp_path, many)
    assert found["language"] == {"common": len(many) - 2, "(missing)": 1, "rare": 1}
    assert found["n_tokens"] == Counter(map(slow_bin, many["n_tokens"].to_pylist()[::2]))


def test_the_commonest_languages_have_a_bin_of_their_own(tmp_path: Path) -> None:
    rows = with_values(feature_table(3000, 4), "language", [f"l{i // 2 if i < 200 else i:05}" for i in range(3000)])
    found = profile_of(tmp_path, rows)["language"]
    assert len(found) == profile.MOST_VALUES + 1
    assert found["l00000"] == 2
    assert found["(others)"] == 3000 - 200 - 900


def test_profiles_of_parts_add_up_to_that_of_all_rows(tmp_path: Path) -> None:
    rows = feature_table(900, 5)
    whole = profile_of(tmp_path, rows)
    parts = [profile_of(tmp_path, rows.slice(start, 300)) for start in (0, 300, 600)]
    assert plain(added(parts)) == plain(whole)


def plain(found: profile.Profile) -> Mapping[str, Mapping[str, int]]:
    return {feature: dict(bins) for feature, bins in found.items()}


def test_no_row_has_a_profile_too(tmp_path: Path) -> None:
    assert profile_of(tmp_path, feature_table(3, 6).slice(0, 0)) == {}


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    rows = feature_table(int(np.int64(400)), 7)
    contents = set()
    for _ in range(2):
        profile_of(tmp_path, rows)
        contents.add((tmp_path / "profile.parquet").read_bytes())
    assert len(contents) == 1
