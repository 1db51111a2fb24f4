"""The figures of a service are measured on a finished world."""

import re
from pathlib import Path

import pytest

from engage_pipeline_tests.benchmarks import service


@pytest.mark.long
def test_the_command_prints_time_and_memory(finished_world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part = next((finished_world / "raw" / "test").iterdir())
    service.main(["--config", str(finished_world / "config.yaml"), "--part", str(part)])
    cells = dict(re.findall(r"^\| (.+) \| ([\d,.]+) ", capsys.readouterr().out, re.MULTILINE))
    rows = min(service.ROWS, len(part.read_bytes().splitlines()))
    assert list(cells) == [
        "opening, with imports",
        "one row, median",
        "one row, 95th percentile",
        f"{rows:,} rows at once",
        "resident memory after opening",
        "resident memory after the rows",
    ]
    found = [float(value.replace(",", "")) for value in cells.values()]
    assert 0 < found[1] <= found[2]
    assert min(found) > 0
    assert 100 < found[4] < 10_000
