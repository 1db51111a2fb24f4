"""An earlier program beside this one: what a row of the table says, and both measured in turn, anew each time."""

import json
import subprocess
from dataclasses import asdict
from pathlib import Path

import pytest

from engage_pipeline_tests import worlds
from engage_pipeline_tests.benchmarks import in_turn
from engage_pipeline_tests.benchmarks.in_turn import Pairs
from engage_pipeline_tests.benchmarks.measuring import Measurement, noted

ROWS = 2000


def test_the_ratio_is_the_median_of_those_of_the_pairs() -> None:
    # 4/2, 9/3, 5/1: the medians of 5 and 2 seconds are in no pair
    pairs = Pairs("from_nothing", before=(4, 9, 5), now=(2, 3, 1))
    assert pairs.line() == "| from_nothing | 5.0 s | 2.0 s | 3.00 | 2.00, 3.00, 5.00 |"


def test_seconds_of_a_row_are_shown_as_rates_unless_they_are_long() -> None:
    assert (
        Pairs("ingest", before=(1 / 1000,), now=(1 / 250_000,)).line().startswith("| ingest | 1.0 ms a row | 250,000 ")
    )
    assert (
        Pairs("ingest", before=(1 / 1001,), now=(0.0042,)).line().startswith("| ingest | 1,001 rows/s | 4.2 ms a row ")
    )


def test_models_of_hidden_1500_replace_none_of_the_demo() -> None:
    assert {in_turn.world_of(stage, 9) for stage in ("ingest", "predict", "one_row", "engagement_trees")} == {"9"}
    assert {in_turn.world_of(stage, 9) for stage in ("network_loss", "predict_1500", "one_row_1500")} == {"9-1500"}


def test_a_wrong_stage_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        in_turn.main(["--before", ".", "--folder", ".", "--stages", "from_nothing,ingest,nothing"])
    assert "'nothing' is not one of ingest" in capsys.readouterr().err


@pytest.mark.long
def test_each_program_measures_its_stages_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree = another_tree(tmp_path / "earlier")
    (tree / "engage_pipeline_tests").symlink_to(worlds.REPOSITORY / "engage_pipeline_tests")
    kept = tmp_path / "kept"
    notes = [kept / program / f"{ROWS}" / f"{ROWS}-1-ingest-work.json" for program in ("before", "now")]
    for note in notes:  # of an earlier time
        note.parent.mkdir(parents=True)
        note.write_text(json.dumps(asdict(Measurement(1, 1000, 1000, 1))), encoding="utf-8")
    arguments = ["--before", str(tree), "--folder", str(kept), "--rows", str(ROWS), "--times", "2"]
    in_turn.main([*arguments, "--stages", "ingest"])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ingest")]
    assert len(line.split(" | ")[-1].split(", ")) == 2
    assert [noted(note).rows for note in notes] == [1525, 1525]
    assert max(noted(note).cpu_seconds for note in notes) < 100
    for program in ("before", "now"):
        told = (kept / program / "log.txt").read_text(encoding="utf-8").splitlines()
        assert told == [f"ingest: {ROWS} rows"] * 2


@pytest.mark.long
def test_a_run_from_nothing_is_by_the_settings_of_its_tree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree, kept = another_tree(tmp_path / "earlier"), tmp_path / "kept"
    wrong = another_tree(tmp_path / "later")
    (wrong / "config.yaml").write_text("no_such_setting: 1\n", encoding="utf-8")
    arguments = ["--folder", str(kept), "--times", "1", "--demo-rows", "4000", "--stages", "from_nothing"]
    with pytest.raises(subprocess.CalledProcessError):
        in_turn.main(["--before", str(tree), "--now", str(wrong), *arguments])
    assert [line for line in capsys.readouterr().err.splitlines() if line.startswith("from_nothing")] == [
        f"from_nothing: {tree}",
        f"from_nothing: {wrong}",
    ]
    assert "28 artifacts made" in (kept / "before" / "log.txt").read_text(encoding="utf-8")
    assert "no_such_setting: no such setting" in (kept / "now" / "log.txt").read_text(encoding="utf-8")
    assert sorted(path.name for path in kept.iterdir()) == ["before", "now", "raw-4000"]
    assert [path.name for path in (kept / "before").iterdir()] == ["log.txt"]


def another_tree(tree: Path) -> Path:
    """A checkout of this program with the tiny world's settings, and the demo's raw files."""
    tree.mkdir()
    (tree / "engage_pipeline").symlink_to(worlds.REPOSITORY / "engage_pipeline")
    (tree / "dagster.yaml").symlink_to(worlds.REPOSITORY / "dagster.yaml")
    raw = {"recsys_data": "data/raw/train", "validation_part": "data/raw/validation/part-00000"}
    worlds.write_config(tree, **raw, test_data="data/raw/test")
    return tree
