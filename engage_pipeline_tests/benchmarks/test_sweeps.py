"""Quality and time by sweeps are measured on a finished world."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline_tests.benchmarks import sweeps


@pytest.mark.long
def test_the_command_prints_a_line_for_each_number_of_sweeps(
    finished_world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = pq.read_table(finished_world / "raw" / "test_labels.parquet")
    oracle = pq.read_table(finished_world / "raw" / "test_oracle.parquet")
    columns = {target: labels[target] for target in schema.TARGETS}
    columns |= {f"p_{target}": oracle[target] for target in schema.TARGETS}
    pq.write_table(pa.table(columns), tmp_path / "truth.parquet")
    options = ["--config", str(finished_world / "config.yaml"), "--truth", str(tmp_path / "truth.parquet")]
    sweeps.main([*options, "--sweeps", "8", "4"])
    lines = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["sweeps", "rows", *schema.TARGETS, "mean", "CPU s"]
    assert [line[0] for line in lines[2:]] == ["8", "4"]
    for line in lines[2:]:
        *shares, mean, seconds = (float(cell) for cell in line[2:])
        assert mean == pytest.approx(np.mean(shares), abs=0.11)
        assert seconds > 0
        assert max(shares) < 100
