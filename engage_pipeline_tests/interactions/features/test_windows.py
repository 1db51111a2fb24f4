"""Look-ups in windows of many shards and files."""

from pathlib import Path

import pytest

from engage_pipeline import schema
from engage_pipeline.interactions.shards import files
from engage_pipeline_tests.interactions import reference
from engage_pipeline_tests.interactions.dense_rows import dense_rows
from engage_pipeline_tests.interactions.test_against_reference import compare, make_tables
from engage_pipeline_tests.interactions.worlds import World


def test_every_feature_whatever_the_shards_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SHARD_ROWS", 10)
    monkeypatch.setattr(files, "GROUP_SHARDS", 4)
    world = World(
        [dense_rows(80, 1), dense_rows(60, 2)], dense_rows(90, 3, chunked=True), dense_rows(30, 4, labelled=False)
    )
    tables, graph = make_tables(world, tmp_path)
    assert len(list((tmp_path / "training_counts").glob("pair-*.arrow"))) == 4
    training = [row for part in world.training for row in part]
    rows = {"training": world.training[0], "validation": world.validation, "test": world.test}
    for kind, of_kind in rows.items():
        by_line = {row[schema.LINE_NUMBER]: row for row in of_kind}
        for found in tables[kind]:
            row = by_line[found[schema.LINE_NUMBER]]
            compare(found, row, reference.features(row, kind, training, world.validation, graph))
