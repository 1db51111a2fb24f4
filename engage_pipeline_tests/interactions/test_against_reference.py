"""Counting, similarity and features equal a slow plain Python reference on random small worlds."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from engage_pipeline import schema
from engage_pipeline.interactions.counters.counting import count_training, count_validation
from engage_pipeline.interactions.features.rows import FeatureFile
from engage_pipeline.interactions.features.windows import Kind
from engage_pipeline.interactions.features.writing import write_features
from engage_pipeline.interactions.graphs.similarity import similar_authors
from engage_pipeline.settings.families import FAMILY_NAMES
from engage_pipeline_tests.interactions import reference
from engage_pipeline_tests.interactions.typed_parts import Row, write_typed
from engage_pipeline_tests.interactions.worlds import World, worlds
from engage_pipeline_tests.samples import tiny_settings

TOP_N, THRESHOLD = 3, 0.3


# Each world takes a second: shrinking a failure would take minutes.
@pytest.mark.long
@settings(max_examples=10, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(worlds())
def test_every_feature_of_every_row(world: World) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tables, graph = make_tables(world, Path(folder))
    training = [row for part in world.training for row in part]
    assert graph == reference.similar_authors(training, TOP_N, THRESHOLD)
    rows_of: dict[Kind, list[Row]] = {
        "training": world.training[0],
        "validation": world.validation,
        "test": world.test,
    }
    for kind, rows in rows_of.items():
        assert len(tables[kind]) == len(rows)
        by_line = {row[schema.LINE_NUMBER]: row for row in rows}
        for found in tables[kind]:
            row = by_line[found[schema.LINE_NUMBER]]
            expected = reference.features(row, kind, training, world.validation, graph)
            compare(found, row, expected)


def compare(found: Row, row: Row, expected: Row) -> None:
    """`found` holds the columns of the schema: those of the tweet as they are, the others as expected."""
    for name, value in found.items():
        wanted = expected.get(name, row.get(name))
        assert value == (pytest.approx(wanted, abs=1e-9) if name in schema.SIMILARITY_FEATURES else wanted), name


def make_tables(world: World, folder: Path, threads: int = 2) -> tuple[dict[str, list[Row]], reference.Graph]:
    """The feature rows of each kind, and the similarity graph, with every family on."""
    write_everything(world, folder, threads, {"families": list(FAMILY_NAMES)})
    tables = {}
    for kind in ("training", "validation", "test"):
        path = folder / f"{kind}_features.parquet"
        labelled, validation = kind != "test", kind == "validation"
        wanted = schema.feature_schema(labelled=labelled, validation=validation, families=FAMILY_NAMES)
        assert pq.read_schema(path).equals(wanted)
        tables[kind] = FeatureFile(path).read().to_pylist()
        assert_ordered(tables[kind], [schema.LINE_NUMBER] if kind == "test" else [*_BY_DAY])
    graph: reference.Graph = {}
    for edge in pq.read_table(folder / "similar.parquet").to_pylist():
        others = graph.setdefault(edge["author"], [])
        assert edge["rank"] == len(others)
        others.append((edge["similar"], edge["jaccard"]))
    return tables, graph


_BY_DAY = (schema.ENGAGEMENT_DAY, schema.LINE_NUMBER)


def assert_ordered(rows: Sequence[Row], columns: Sequence[str]) -> None:
    keys: list[Any] = [[row[column] for column in columns] for row in rows]
    assert keys == sorted(keys)


def write_everything(
    world: World, folder: Path, threads: int = 2, features: dict[str, Any] | None = None, processes: int = 1
) -> None:
    """Counts, similarity and features of `world`, as files in `folder`; `features` is that group of settings."""
    engine = {"threads": threads, "processes": processes, "memory_limit": "500MB"}
    settings = tiny_settings(folder, engine=engine, features=features or {})
    parts = [write_typed(rows, folder / f"part{i}.parquet") for i, rows in enumerate(world.training)]
    validation = write_typed(world.validation, folder / "validation.parquet")
    test = write_typed(world.test, folder / "test.parquet", labelled=False)
    for name in ("training_counts", "validation_counts"):
        (folder / name).mkdir(exist_ok=True)
    count_training(parts, folder / "training_counts", settings)
    count_validation([validation], folder / "validation_counts", settings)
    similar_authors(parts, folder / "similar.parquet", top_n=TOP_N, threshold=THRESHOLD, settings=settings)
    kinds: dict[Kind, Path] = {"training": parts[0], "validation": validation, "test": test}
    for kind, tweets in kinds.items():
        rows = write_features(
            tweets,
            folder / f"{kind}_features.parquet",
            kind=kind,
            training_counts=folder / "training_counts",
            similarity=folder,
            validation_counts=folder / "validation_counts",
            settings=settings,
        )
        assert rows == pq.read_metadata(tweets).num_rows
