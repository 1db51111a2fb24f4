"""Feature rows: bytes that do not depend on threads, dates against datetime, and parts without rows."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.interactions.features.windows import Kind
from engage_pipeline.settings.families import FAMILY_NAMES, REFERENCE_FAMILIES
from engage_pipeline_tests.interactions.counters.test_counting import ROWS, exposure
from engage_pipeline_tests.interactions.test_against_reference import write_everything
from engage_pipeline_tests.interactions.typed_parts import Row
from engage_pipeline_tests.interactions.worlds import World

KINDS: tuple[Kind, ...] = ("training", "validation", "test")
COUNTED = {*schema.INTERACTION_FEATURES, *schema.EXPOSURE_FEATURES}


def world_of(training: list[Row], validation: list[Row], test: list[Row]) -> World:
    return World([training], [row | {schema.SPLIT: index % 3 - 1} for index, row in enumerate(validation)], test)


def read(folder: Path, kind: Kind) -> pa.Table:
    return pq.read_table(folder / f"{kind}_features.parquet")


def test_hour_and_day_of_month_agree_with_datetime(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    leap_days = [int(datetime(year, month, 29, 23, 59, 59, tzinfo=UTC).timestamp()) for year in (1972, 2000, 2024)
                 for month in (2, 12)]  # fmt: skip
    ends = [int(datetime(year, 2, 28, 23, 59, 59, tzinfo=UTC).timestamp()) for year in range(1700, 2900, 100)]
    last = [*leap_days, *ends]
    times = [*rng.integers(-(2**35), 2**37, 3000).tolist(), *last, *(second + 1 for second in last)]
    rows = [exposure(line, "ana", "ben", 0, tweet_timestamp=time) for line, time in enumerate(times)]
    write_everything(world_of(ROWS, ROWS, rows), tmp_path, 2)
    dates = [datetime.fromtimestamp(time, UTC) for time in times]
    assert read(tmp_path, "test")["hour"].to_pylist() == [date.hour for date in dates]
    assert read(tmp_path, "test")["day_of_month"].to_pylist() == [date.day - 1 for date in dates]


@pytest.mark.parametrize("time", [2**63 - 1, -(2**63)])
def test_absurd_timestamps_do_not_stop_a_part(tmp_path: Path, time: int) -> None:
    rows = [exposure(0, "ana", "ben", 0, tweet_timestamp=time, engaging_user_account_creation=-time - 1)]
    write_everything(world_of(ROWS, ROWS, rows), tmp_path, 2)
    (row,) = read(tmp_path, "test").to_pylist()
    assert 0 <= row["hour"] < 24
    assert 0 <= row["day_of_month"] < 31
    assert row["engaging_user_account_age_days"] == pytest.approx(2 * time / 86400, rel=1e-9)


def test_a_part_without_rows_gives_a_file_without_rows(tmp_path: Path) -> None:
    write_everything(world_of(ROWS, ROWS, []), tmp_path, 2)
    assert read(tmp_path, "test").num_rows == 0


def test_keys_that_only_the_test_rows_have_count_nothing(tmp_path: Path) -> None:
    stranger = exposure(0, "zoe", "yan", 0, language="xx", hashtags=["new"], tweet_id="unseen")
    write_everything(world_of(ROWS, ROWS, [stranger]), tmp_path, 2)
    (row,) = read(tmp_path, "test").to_pylist()
    assert not any(row[name] for name in (*schema.INTERACTION_FEATURES, *schema.EXPOSURE_FEATURES))


def test_a_row_has_the_same_features_in_training_in_the_holdout_and_in_prediction(tmp_path: Path) -> None:
    """The same rows, counted nowhere else: alone on their day, held out, and without labels."""
    rows = [
        exposure(100, "ana", "ben", 9, hashtags=["x", "y"], language="ja", tweet_type="Quote", present_media=["GIF"]),
        exposure(101, "ben", "cal", 9, text_tokens=[101, 7, 8, 102], engaging_user_follower_count=77),
        exposure(102, "zoe", "ana", 9, tweet_id="other", engagee_follows_engager=False),
    ]
    followed = [
        exposure(200 + n, author, "ben", 2, engagee_follows_engager=True) for n, author in enumerate(["ana", "ben"])
    ]
    windows = ([*ROWS, *followed], [row | {schema.SPLIT: index % 3} for index, row in enumerate(ROWS)])
    held_out = [row | {schema.SPLIT: schema.HOLDOUT} for row in rows]
    worlds = {
        "training": World([[*windows[0], *rows]], windows[1], []),
        "validation": World([windows[0]], [*windows[1], *held_out], []),
        "test": World([windows[0]], windows[1], rows),
    }
    found = {}
    for kind, world in worlds.items():
        (tmp_path / kind).mkdir()
        write_everything(world, tmp_path / kind, 2)
        table = read(tmp_path / kind, kind)
        found[kind] = [row for row in table.to_pylist() if 100 <= row[schema.LINE_NUMBER] < 200]
    names = [name for name in found["test"][0] if name != schema.ENGAGEMENT_DAY]
    assert found["test"][0]["similar_jaccard_sum"] > 0
    assert any(row["valid_tweet_like"] for row in found["test"])
    for kind in ("training", "validation"):
        assert [{name: row[name] for name in names} for row in found[kind]] == [
            {name: row[name] for name in names} for row in found["test"]
        ]


def test_a_family_that_is_left_out_counts_nothing_and_changes_no_other(tmp_path: Path) -> None:
    world = world_of([exposure(n, a, "ben", n % 3, "like", engagee_follows_engager=True, hashtags=["x"])
                      for n, a in enumerate(["ana", "ben", "cal"] * 3)], ROWS, ROWS)  # fmt: skip
    columns_of = {
        "pair_counters": ("pair_", "valid_pair_"),
        "author_counters": ("author_", "valid_author_"),
        "viewer_counters": ("viewer_", "valid_viewer_"),
        "language_counters": ("language_", "valid_language_"),
        "hashtag_counters": ("hashtag_", "valid_hashtag_"),
        "tweet_counters": ("valid_tweet_",),
        "similar_authors": ("similar_",),
        "reversed_roles": ("valid_reverse_pair_", "valid_viewer_as_author_", "valid_author_as_viewer_"),
    }
    reversed_roles = columns_of["reversed_roles"]
    write_everything(world, tmp_path, 2, {"families": list(FAMILY_NAMES)})
    whole = {kind: read(tmp_path, kind) for kind in KINDS}
    for family, prefixes in columns_of.items():
        write_everything(world, tmp_path, 2, {"families": [name for name in FAMILY_NAMES if name != family]})
        silenced = 0
        for kind in KINDS:
            table = read(tmp_path, kind)
            for name in table.column_names:
                own = name.startswith(prefixes) and (family == "reversed_roles" or not name.startswith(reversed_roles))
                if own and name in COUNTED:
                    assert not any(table[name].to_pylist()), (family, name)
                    silenced += any(whole[kind][name].to_pylist())
                else:
                    assert table[name].equals(whole[kind][name]), (family, name)
        assert silenced, family


def test_a_family_beyond_the_reference_has_tables_and_columns_only_where_it_is_on(tmp_path: Path) -> None:
    rows = [exposure(n, "ana", "ben", n % 3, "like", tweet_type="Quote") for n in range(9)]
    folders = {"off": [family.name for family in REFERENCE_FAMILIES], "on": list(FAMILY_NAMES)}
    for name, families in folders.items():
        (tmp_path / name).mkdir()
        write_everything(world_of(rows, rows, rows), tmp_path / name, 2, {"families": families})
    for window in ("training_counts", "validation_counts"):
        off, on = ({path.name: path.read_bytes() for path in (tmp_path / name / window).iterdir()} for name in folders)
        assert on.keys() > off.keys()
        assert all("type" in name for name in on.keys() - off.keys())
        changed = {name for name, data in off.items() if data != on[name]}
        assert all("viewer" in name for name in changed), "only the viewer's own tables say where those of the type end"
    for kind in KINDS:
        off, on = (read(tmp_path / name, kind) for name in folders)
        further = schema.further_features(["type", "valid_type"])
        assert on.drop_columns(further).equals(off)
        assert any(on["type_like"].to_pylist())
        assert any(on["valid_type_exposures"].to_pylist())


def test_any_engagement_with_a_similar_author_counts_except_on_the_rows_own_day(tmp_path: Path) -> None:
    fans = [
        exposure(0, author, viewer, 3, engagee_follows_engager=True) for author in ("ana", "ben") for viewer in "uv"
    ]
    fans.append(exposure(0, "ben", "w", 3, engagee_follows_engager=True))
    engaged = [exposure(0, "ben", name, 1, name) for name in schema.ENGAGEMENTS]
    shown = [exposure(0, "ana", name, day) for name in schema.ENGAGEMENTS for day in (0, 1)]
    rows = [row | {schema.LINE_NUMBER: line} for line, row in enumerate((*fans, *engaged, *shown))]
    write_everything(world_of(rows, ROWS, []), tmp_path, 2)
    found = read(tmp_path, "training").sort_by(schema.LINE_NUMBER).to_pylist()[-len(shown) :]
    assert all(row["similar_jaccard_sum"] == pytest.approx(2 / 3) for row in found)
    for index, name in enumerate(schema.ENGAGEMENTS):
        other_day, own_day = ([row[f"similar_{e}"] for e in schema.ENGAGEMENTS] for row in found[2 * index :][:2])
        assert other_day == [pytest.approx(2 / 3) if e == name else 0 for e in schema.ENGAGEMENTS]
        assert own_day == [0, 0, 0, 0]


@pytest.mark.long
@pytest.mark.parametrize("engine", [{"threads": 2}, {"threads": 1, "processes": 2}], ids=["threads", "processes"])
def test_files_have_equal_bytes_however_they_are_made(tmp_path: Path, engine: dict[str, int]) -> None:
    rng = np.random.default_rng(0)
    world = World(
        [_many_rows(rng, 4000), _many_rows(rng, 4000)],
        [row | {schema.SPLIT: int(rng.integers(-1, 10))} for row in _many_rows(rng, 3000)],
        _many_rows(rng, 1000),
    )
    digests = []
    for name, way in (("plain", {"threads": 1}), ("other", engine)):
        folder = tmp_path / name
        folder.mkdir()
        write_everything(world, folder, **way)
        files = sorted(path for path in folder.rglob("*") if path.suffix in {".parquet", ".arrow", ".json"})
        digests.append({str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).digest() for path in files})
    tables = {"training_counts": 3 + 2 * 2 + 5, "validation_counts": 1 + 12 * 6}
    others = len(("part0", "part1", "validation", "test", "similar", "edges", "authors"))
    assert len(digests[0]) == others + 2 * len(KINDS) + sum(tables.values())
    assert digests[0] == digests[1]


def _many_rows(rng: np.random.Generator, count: int) -> list[Row]:
    users = rng.zipf(1.5, (count, 2)).clip(max=800)
    days = rng.integers(0, 5, count)
    likes = rng.random(count) < 0.4
    return [
        exposure(
            line,
            f"u{users[line, 0]}",
            f"u{users[line, 1]}",
            int(days[line]),
            *(["like"] if likes[line] else []),
            hashtags=[f"h{users[line, 0] % 7}"] * int(users[line, 1] % 3),
            tweet_id=f"t{users[line, 0] % 50}",
            engagee_follows_engager=bool(users[line, 1] % 2),
        )
        for line in range(count)
    ]
