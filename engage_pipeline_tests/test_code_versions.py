"""The code that makes an artifact does not come to another result under the same code version."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline_tests import code_versions, worlds
from engage_pipeline_tests.code_versions import Made, Record, problems, read_record

BEFORE = Record("here", {name: Made(one.code_version, "m", "c", "t", 1.0) for name, one in ARTIFACTS.items()})


def changed(machine: str = "here", **artifacts: Made) -> Record:
    return Record(machine, BEFORE.artifacts | artifacts)


def other(name: str, **values: str | float) -> dict[str, Made]:
    return {name: replace(BEFORE.artifacts[name], **values)}


@pytest.mark.long
def test_what_the_tiny_world_holds_is_recorded_under_its_code_versions(finished_world: Path) -> None:
    assert problems(read_record(), code_versions.record_of(worlds.store_of(finished_world / "config.yaml"))) == []


def test_an_equal_world_has_no_problem() -> None:
    assert problems(BEFORE, changed()) == []


def test_the_artifact_whose_code_changed_is_named_and_not_what_is_made_of_it() -> None:
    now = changed(**other("interaction_features", contents="x"), **other("pretrained_network", contents="x"))
    (problem,) = problems(BEFORE, now)
    assert problem.startswith("interaction_features came out otherwise, but its code_version is still 5: raise it in")


@pytest.mark.parametrize("values", [{"code_version": "9"}, {"made_of": "x"}, {"code_version": "9", "contents": "x"}])
def test_a_raised_version_and_other_settings_ask_for_the_record_anew(values: dict[str, str]) -> None:
    (problem,) = problems(BEFORE, changed(**other("emde_sketches", **values)))
    assert problem.startswith("the record is of another code version, settings or raw files: run `python -m ")
    assert problem.endswith("(for emde_sketches)")


def test_an_artifact_that_is_not_recorded_asks_for_the_record_anew() -> None:
    (problem,) = problems(Record("here", {}), BEFORE)
    assert problem.endswith(f"(for {', '.join(ARTIFACTS)})")


def test_on_another_machine_what_is_fitted_may_differ_a_little() -> None:
    near, far = (other("pretrained_network", contents="x", size=size) for size in (1.04, 1.06))
    assert problems(BEFORE, changed("there", **near)) == []
    assert len(problems(BEFORE, changed("there", **far))) == 1
    assert len(problems(BEFORE, changed("there", **other("pretrained_network", types="x")))) == 1
    assert len(problems(BEFORE, changed(**near))) == 1
    assert len(problems(BEFORE, changed("there", **other("interaction_counts", contents="x")))) == 1


def test_a_digest_sees_one_value_and_not_how_a_table_is_packed(tmp_path: Path) -> None:
    table = pa.table({"n": pa.array([1, 2, 3], pa.int32()), "x": [[0.5], None, [1.5, 2.5]]})
    column = pa.array([1, 2, 4], pa.int32())
    for name, rows, codec in (
        ("a", table, "zstd"),
        ("b", table, "none"),
        ("c", table.set_column(0, "n", column), "zstd"),
    ):
        pq.write_table(rows, tmp_path / f"{name}.parquet", compression=codec, row_group_size=2)
    read = {name: code_versions.read_file(tmp_path / f"{name}.parquet") for name in "abc"}
    assert read["a"][0] == read["b"][0] != read["c"][0]
    assert read["a"][1] == read["c"][1]
    assert read["a"][2].tolist() == [0.5, 1.5, 2.5]
