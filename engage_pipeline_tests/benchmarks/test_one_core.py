"""Counters and features of more and more parts are measured on a finished world."""

from pathlib import Path

import pytest

from engage_pipeline.settings.settings import load_settings
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests.benchmarks import one_core
from engage_pipeline_tests.benchmarks.one_core import PartsFigures


def test_rates_are_of_both_and_compared_with_the_first() -> None:
    # 1,000 rows in 2 + 3 s are 200 a second; 9,000 in 20 + 40 s are 150
    first, last = PartsFigures(1, 1000, 2, 3, 50), PartsFigures(8, 9000, 20, 40, 60)
    assert first.line(first) == "| 1 | 1,000 | 2.0 | 3.0 | 200 | 100% | 50 |"
    assert last.line(first) == "| 8 | 9,000 | 20.0 | 40.0 | 150 | 75% | 60 |"


@pytest.mark.long
def test_the_command_prints_a_line_for_each_number_of_parts(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = world / "config.yaml"
    store = ArtifactStore(load_settings(config))
    rows = [store.open("tweet_parts", key).manifest.rows or 0 for key in store.parts()]
    before = _files(store)
    one_core.main(["--config", str(config), "--parts", "1", str(len(rows))])
    lines = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()]
    assert [line[:2] for line in lines[2:]] == [["1", f"{rows[0]:,}"], [str(len(rows)), f"{sum(rows):,}"]]
    assert {len(line) for line in (lines[0], *lines[2:])} == {7}
    assert _files(store) == before


def _files(store: ArtifactStore) -> list[Path]:
    return sorted(path for path in store.settings.working_dir.rglob("*") if path.is_file())
