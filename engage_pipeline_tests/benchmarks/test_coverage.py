"""The coverage of the intervals is measured on a finished world."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline_tests.benchmarks import coverage


@pytest.mark.long
def test_the_command_prints_a_line_for_each_engagement(
    finished_world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    oracle = pq.read_table(finished_world / "raw" / "test_oracle.parquet")
    outside = dict.fromkeys((f"p_{target}" for target in schema.TARGETS), pa.array([1.0] * len(oracle)))
    found = []
    for name, columns in (("true", {f"p_{target}": oracle[target] for target in schema.TARGETS}), ("one", outside)):
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
        options = ["--config", str(finished_world / "config.yaml"), "--truth", str(tmp_path / f"{name}.parquet")]
        coverage.main(options)
        lines = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
        assert [line[0] for line in lines] == list(schema.TARGETS)
        found.append([[float(cell) for cell in line[1:]] for line in lines])
    for inside, below, above in found[0]:
        assert inside + below + above == pytest.approx(100, abs=0.2)
        assert inside > 50
    assert found[1] == [[0.0, 0.0, 100.0]] * 4
