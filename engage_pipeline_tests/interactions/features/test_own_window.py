"""A training row's own window: parts that were not counted, one part among many, and hubs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.interactions.counters.counting import count_training, count_validation
from engage_pipeline.interactions.features.windows import Counts
from engage_pipeline.interactions.features.writing import write_features_of_parts
from engage_pipeline.interactions.graphs.similarity import similar_authors
from engage_pipeline.interactions.shards import files
from engage_pipeline.settings.settings import Settings
from engage_pipeline_tests.interactions import reference
from engage_pipeline_tests.interactions.counters.test_counting import exposure
from engage_pipeline_tests.interactions.dense_rows import dense_rows
from engage_pipeline_tests.interactions.typed_parts import Row, write_typed
from engage_pipeline_tests.samples import tiny_settings

NUMBERS = [f"{key}_{name}" for key in schema.TRAINING_KEYS for name in (*schema.ENGAGEMENTS, "exposures")]
SIMILAR = [f"similar_{name}" for name in schema.ENGAGEMENTS]
PARTS = [dense_rows(40, seed) for seed in (1, 2, 3)]


def count(parts: Sequence[Path], folder: Path, settings: Settings) -> Counts:
    """The counts of training parts, without any validation row."""
    for name in ("training", "validation"):
        (folder / name).mkdir()
    count_training(parts, folder / "training", settings)
    nothing = pq.read_table(parts[0]).slice(0, 0).append_column(schema.SPLIT, pa.array([], pa.int32()))
    pq.write_table(nothing, folder / "validation.parquet")
    count_validation([folder / "validation.parquet"], folder / "validation", settings)
    similar_authors(parts, folder / "similar.parquet", top_n=3, threshold=0.3, settings=settings)
    return {"training_counts": folder / "training", "validation_counts": folder / "validation", "similarity": folder}


def features(parts: Sequence[Path], counts: Counts, settings: Settings) -> list[list[dict[str, Any]]]:
    """The rows of each part's features."""
    outputs = [path.with_suffix(".features") for path in parts]
    written = write_features_of_parts(
        list(zip(parts, outputs, strict=True)), kind="training", settings=settings, **counts
    )
    found = [pq.read_table(output).to_pylist() for output in outputs]
    assert written == sum(map(len, found))
    return found


def expected(row: Row, counted: list[Row], graph: reference.Graph) -> dict[str, Any]:
    """What a row gets from the rows that are counted."""
    found = reference.features(row, "training", counted, [], graph)
    return {name: found[name] for name in NUMBERS} | {name: pytest.approx(found[name]) for name in SIMILAR}


def compare(found: list[dict[str, Any]], rows: list[Row], counted: list[Row]) -> None:
    graph = reference.similar_authors(counted, 3, 0.3)
    by_line = {row[schema.LINE_NUMBER]: row for row in rows}
    assert sorted(by_line) == sorted(row[schema.LINE_NUMBER] for row in found)
    for row in found:
        assert {name: row[name] for name in (*NUMBERS, *SIMILAR)} == expected(
            by_line[row[schema.LINE_NUMBER]], counted, graph
        )


@pytest.fixture(params=["one file a part", "small files"])
def counted(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Path], Any]:
    """PARTS, of which the first two are counted, in several shards."""
    monkeypatch.setattr(files, "SHARD_ROWS", 20)
    if request.param == "small files":
        monkeypatch.setattr(files, "RUN_ROWS", 15)
    paths = [write_typed(rows, tmp_path / f"part{place}.parquet") for place, rows in enumerate(PARTS)]
    for path in paths:
        pq.write_table(pq.read_table(path), path, row_group_size=12)
    settings = tiny_settings(tmp_path)
    return paths, (count(paths[:2], tmp_path, settings), settings)


def test_a_part_that_was_not_counted_asks_and_adds_nothing(counted: tuple[list[Path], Any]) -> None:
    paths, with_counts = counted
    both = [*PARTS[0], *PARTS[1]]
    second, third = features([paths[1], paths[2]], *with_counts)
    compare(second, PARTS[1], both)
    compare(third, PARTS[2], both)


def test_a_part_alone_gets_what_it_gets_among_others(counted: tuple[list[Path], Any]) -> None:
    paths, with_counts = counted
    together = features(paths[1::-1], *with_counts)
    assert [*features([paths[1]], *with_counts), *features([paths[0]], *with_counts)] == together
    compare(together[1], PARTS[0], [*PARTS[0], *PARTS[1]])


def test_parts_of_many_rows_get_what_each_gets_alone(tmp_path: Path) -> None:
    paths = [write_typed(dense_rows(600, seed), tmp_path / f"part{seed}.parquet") for seed in (7, 8)]
    settings = tiny_settings(tmp_path)
    counts = count(paths, tmp_path, settings)
    assert features(paths, counts, settings) == [features([path], counts, settings)[0] for path in paths]


def test_a_part_made_anew_since_it_was_counted_asks_for_its_new_rows(tmp_path: Path) -> None:
    """Its old rows are counted, those of a new row's own day are left out."""
    settings = tiny_settings(tmp_path)
    paths = [write_typed(rows, tmp_path / f"part{place}.parquet") for place, rows in enumerate(PARTS[:2])]
    counts = count(paths, tmp_path, settings)
    write_typed(PARTS[2], paths[1])
    (found,) = features([paths[1]], counts, settings)
    compare(found, PARTS[2], [*PARTS[0], *PARTS[1]])


def test_parts_of_one_shape_are_told_apart(tmp_path: Path) -> None:
    """Files of the same sizes and footers, each of a viewer of its own, who is seen on two days."""
    settings, parts, paths = tiny_settings(tmp_path), [], []
    for viewer in ("ana", "eva", "ida"):
        parts.append([exposure(day, "ben", viewer, day) for day in range(2)])
        paths.append(write_typed(parts[-1], tmp_path / f"{viewer}.parquet"))
        pq.write_table(pq.read_table(paths[-1]), paths[-1], compression="none", write_statistics=False)
    assert len({path.stat().st_size for path in paths}) == 1
    found = features(paths, count(paths, tmp_path, settings), settings)
    for part, rows in zip(found, parts, strict=True):
        compare(part, rows, [row for rows in parts for row in rows])


def test_hubs_reach_every_column_beyond_16_bits(tmp_path: Path) -> None:
    """A viewer with 100,000 rows of one author on two days, and a row of a third day with the tag twenty times."""
    kinds = [
        exposure(0, "ana", "ben", 0, "like", hashtags=["x"]),
        exposure(0, "ana", "ben", 1, "like", "reply", hashtags=["x"]),
        exposure(0, "ana", "ben", 2, hashtags=["x"] * 20),
    ]
    table = pq.read_table(write_typed(kinds, tmp_path / "kinds.parquet"))
    numbers = np.repeat([0, 1, 2], [60_000, 40_000, 1])
    table = table.take(pa.array(numbers))
    lines = pa.array(np.arange(len(table)), table.schema.field(schema.LINE_NUMBER).type)
    table = table.set_column(table.schema.get_field_index(schema.LINE_NUMBER), schema.LINE_NUMBER, lines)
    part = tmp_path / "part.parquet"
    pq.write_table(table, part, row_group_size=50_000)
    settings = tiny_settings(tmp_path)
    (rows,) = features([part], count([part], tmp_path, settings), settings)
    first, middle, last = (rows[place] for place in (0, 60_000, 100_000))
    for key in ("pair", "author", "viewer", "language"):
        assert [first[f"{key}_{name}"] for name in ("like", "reply", "exposures")] == [40_000, 40_000, 40_001]
        assert [middle[f"{key}_{name}"] for name in ("like", "reply", "exposures")] == [60_000, 0, 60_001]
        assert [last[f"{key}_{name}"] for name in ("like", "reply", "exposures")] == [100_000, 40_000, 100_000]
    assert [first[f"hashtag_{name}"] for name in ("like", "exposures")] == [40_000, 40_020]
    assert [last[f"hashtag_{name}"] for name in ("like", "reply", "exposures")] == [2_000_000, 800_000, 2_000_000]
