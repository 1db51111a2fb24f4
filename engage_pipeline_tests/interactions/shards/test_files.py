"""Files of narrow rows: every row lies in one shard, whatever files and row groups it came by."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.interactions.shards import files
from engage_pipeline.interactions.shards.files import (
    BUCKETS,
    SHARD_ROWS,
    Run,
    Runs,
    run_paths,
    shard_bounds,
    write_runs,
)
from engage_pipeline.interactions.shards.rows import Lists, Names, ids_of, lists_of
from engage_pipeline.interactions.shards.sides import sides_of
from engage_pipeline.numerics.fingerprints import checks, hashes
from engage_pipeline.settings.families import TRAINING, counted_keys
from engage_pipeline_tests.interactions.counters.test_counting import exposure
from engage_pipeline_tests.interactions.typed_parts import Row, write_typed

SIDES = {side.name: side for side in sides_of(counted_keys(TRAINING, ()))}
LANGUAGES = [["en", "ja", None], ["pt", "ja", "en"]]
"""In each part another language comes first."""
GROUP_ROWS = 7


def rows_of(part: int) -> list[Row]:
    """60 rows of a part; some lack a viewer, an author or a language, and have up to three hashtags."""
    rng = np.random.default_rng(part)
    rows = [
        exposure(
            line,
            f"a{rng.integers(0, 9)}",
            f"v{rng.integers(0, 30)}",
            line // 30,
            *[name for name in schema.ENGAGEMENTS if rng.random() < 0.3],
            language=LANGUAGES[part][rng.integers(0, 3)],
            hashtags=[f"h{tag}" for tag in rng.integers(0, 4, rng.integers(0, 4))],
        )
        for line in range(60)
    ]
    for row in rows[::11]:
        row["engaging_user_id"] = None
    for row in rows[::13]:
        row["engaged_with_user_id"] = None
    return rows


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The narrow rows of two parts, in files of at most 20 rows."""
    monkeypatch.setattr(files, "RUN_ROWS", 20)
    for part in (0, 1):
        path = write_typed(rows_of(part), tmp_path / f"tweets{part}.parquet")
        pq.write_table(pq.read_table(path), path, row_group_size=GROUP_ROWS)
        read = write_runs(path, tmp_path, f"{part}", list(SIDES.values()), schema.ENGAGEMENT_DAY, Names())
        assert [len(rows) for rows in read] == [GROUP_ROWS] * 8 + [4]
    return tmp_path


def hash_of(text: str | None) -> int:
    return int(hashes(pa.array([text], pa.string()))[0])


def wanted(side: str) -> list[tuple]:
    """All rows that have the side's id: part, place, hash, check, labels, fold, and its nested values."""
    column = SIDES[side].column
    found = []
    for part in (0, 1):
        for place, row in enumerate(rows_of(part)):
            if row[column] is None:
                continue
            labels = sum(
                1 << bit
                for bit, name in enumerate(schema.ENGAGEMENTS)
                if row[schema.engagement_timestamp(name)] is not None
            )
            nested = (
                (hash_of(row["engaged_with_user_id"]), row["language"], tuple(map(hash_of, row["hashtags"])))
                if side == "viewer"
                else ()
            )
            check = int(checks(pa.array([row[column]]))[0])
            found.append((part, place, hash_of(row[column]), check, labels, row[schema.ENGAGEMENT_DAY], *nested))
    return sorted(found, key=repr)


def read(runs: Runs, bounds: list[tuple[int, int]], parts: list[int], names: dict[str, list[str]]) -> Iterator[tuple]:
    """The rows of all shards, as in `wanted`; each shard has but those of its range."""
    for low, high in bounds:
        rows = runs.shard(low, high)
        assert all(low <= int(value) >> 48 < high for value in rows.hashes)
        lists = rows.values.get("hashtags")
        for row in range(len(rows)):
            nested: tuple = ()
            if isinstance(lists, Lists):
                (languages, authors) = (rows.values[name] for name in ("language", "engaged_with_user_id"))
                assert not isinstance(languages, Lists)
                assert not isinstance(authors, Lists)
                code, tags = int(languages[row]), lists.take(np.array([row])).values
                nested = (int(authors[row]), [None, *names["language"]][code], tuple(tags.tolist()))
            own = (rows.places, rows.hashes, rows.checks, rows.labels, rows.folds)
            yield parts[rows.sources[row]], *(int(column[row]) for column in own), *nested


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("shards", [1, 8])
def test_every_row_is_in_one_shard_with_all_that_it_has(folder: Path, side: str, shards: int) -> None:
    paths = run_paths(folder, SIDES[side], "*")
    assert [path.name for path in paths] == [
        f"{side}_rows-{part}-{run:03}.arrow" for part in (0, 1) for run in range(4)
    ]
    runs = Runs.open(paths, SIDES[side])
    width = BUCKETS // shards
    bounds = [(place * width, (place + 1) * width) for place in range(shards)]
    found = sorted(read(runs, bounds, [0] * 4 + [1] * 4, runs.names), key=repr)
    assert found == wanted(side)
    assert len(runs) == len(found)


def test_codes_of_all_files_are_united_by_fingerprint(folder: Path) -> None:
    side = SIDES["viewer"]
    first, second = (Runs.open(run_paths(folder, side, part), side) for part in "01")
    assert {*first.names["language"]} == {"en", "ja"}
    assert {*second.names["language"]} == {"en", "ja", "pt"}
    names = Runs.open(run_paths(folder, side, "*"), side).names["language"]
    assert names == sorted(("en", "ja", "pt"), key=hash_of)


def test_rows_that_are_not_counted_only_ask(folder: Path) -> None:
    side = SIDES["author"]
    (path, *_) = run_paths(folder, side, "0")
    counted, asking = (Run(path, side, counted=counted).slice(0, BUCKETS, 3) for counted in (True, False))
    assert counted is not None
    assert asking is not None
    assert {*asking.labels.tolist()} == {16}
    assert max(counted.labels.tolist()) < 16
    assert asking.hashes.tolist() == counted.hashes.tolist()
    assert {*asking.sources.tolist()} == {3}


def test_a_part_without_a_row_has_a_file_without_rows(tmp_path: Path) -> None:
    path = write_typed([], tmp_path / "none.parquet")
    assert sum(map(len, write_runs(path, tmp_path, "0", list(SIDES.values()), schema.ENGAGEMENT_DAY, Names()))) == 0
    runs = Runs.open(run_paths(tmp_path, SIDES["viewer"], "0"), SIDES["viewer"])
    assert (len(runs), len(runs.shard(0, BUCKETS))) == (0, 0)


def test_missing_texts_are_left_out_of_lists_and_are_ids_of_0() -> None:
    column = pa.chunked_array([pa.array([["z", "z"], ["x", None], [], None, [None, "y", "x"]]).slice(1)])
    found = lists_of(column)
    assert found.ends.tolist() == [1, 1, 1, 3]
    assert found.values.tolist() == [hash_of("x"), hash_of("y"), hash_of("x")]
    for texts in (pa.chunked_array([["x", None]]), pa.chunked_array([["x", None]]).dictionary_encode()):
        ids = ids_of(texts)
        assert ids.hashes.tolist() == [hash_of("x"), 0]
        assert ids.checks.tolist() == [int(checks(pa.array(["x"]))[0]), 0]


@pytest.mark.parametrize(
    ("rows", "shards"),
    [(0, 1), (SHARD_ROWS, 1), (SHARD_ROWS + 1, 2), (5 * SHARD_ROWS, 8), (BUCKETS * 2 * SHARD_ROWS, BUCKETS)],
)
def test_shards_are_a_power_of_two_of_neighbouring_ranges(rows: int, shards: int) -> None:
    bounds = shard_bounds(rows)
    assert len(bounds) == shards
    assert [low for low, _ in bounds] + [BUCKETS] == [0, *(high for _, high in bounds)]
