"""The benchmarks run on a tiny world, and report what they measured."""

from pathlib import Path

import pytest

from engage_pipeline_tests.benchmarks import __main__ as benchmarks
from engage_pipeline_tests.benchmarks import measuring, report
from engage_pipeline_tests.benchmarks.aims import Outcome, Results, aims, outcomes
from engage_pipeline_tests.benchmarks.kinds import KINDS
from engage_pipeline_tests.benchmarks.measuring import Measurement
from engage_pipeline_tests.benchmarks.stages import NEEDS, STAGES, with_needs
from engage_pipeline_tests.benchmarks.world import World

ROWS, TRAINING_ROWS = 2000, 1525
NO_GROWTH = ("--growth", "none", "--learning", "none")


def measurement(rows: int, cpu_seconds: float, peak_mib: int = 100, **figures: float) -> Measurement:
    return Measurement(rows, cpu_seconds, cpu_seconds, peak_mib, figures)


@pytest.mark.slow
def test_the_command_measures_the_stages_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "performance.md"
    page.write_text("# Performance\n\nBefore.\n", encoding="utf-8")
    benchmarks.main(["--rows", str(ROWS), "--stages", "ingest", *NO_GROWTH, "--out", str(page)])
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    (stage,) = [row for row in rows if row[:2] == ["| ingest", f"{TRAINING_ROWS:,}"]]
    assert stage[6] and "Polars" in stage[7] and "reading the file" in stage[8]
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Performance\n\nBefore.\n")
    assert "--rows 2000 --stages ingest --growth none --learning none" in text


@pytest.mark.slow
def test_the_growth_of_learning_is_measured_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benchmarks, "LEARNING_STAGES", ("network_demo",))
    benchmarks.main(["--stages", "none", "--growth", "none", "--learning", "1000,2000", "--folder", str(tmp_path)])
    out = capsys.readouterr().out
    assert "| stage | 1,000 rows | 2,000 rows |" in out
    assert "| network_demo | " in out
    assert "ingest" not in out


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--rows", str(ROWS), *NO_GROWTH, "--folder", str(tmp_path), "--stages"]
    benchmarks.main([*arguments, "ingest"])
    first = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| ingest |"))
    benchmarks.main([*arguments, "ingest,interaction_counts"])
    second = capsys.readouterr().out.splitlines()
    assert first in second  # CPU seconds and peak memory are those of the first time
    assert any(line.startswith("| interaction_counts |") for line in second)


@pytest.mark.slow
def test_a_stage_beside_another_is_as_much_dearer_as_the_middle_pair_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = {"alone": iter([2.0, 1, 1, 2, 1, 4]), "among": iter([1.5, 9.0, 2.4, 1.0, 6.0])}  # 1.5, 9, 1.2, 1, 1.5
    asked = []

    def measured(kind: str, stage: str, world: World) -> Measurement:
        asked.append(stage)
        return Measurement(100, next(seconds[stage]), 3.0, len(asked))

    monkeypatch.setattr(measuring, "measure", measured)
    world = World(tmp_path, 100, 1, "1GB")
    for _ in range(2):
        found = measuring.measure_beside("among", "alone", world, tmp_path)
        assert found == Measurement(100, 2.0 * 1.5, 3.0 * 1.5, len(asked))
    assert asked == ["alone", *["alone", "among"] * measuring.PAIRS]


def test_growth_is_measured_in_a_world_of_each_size(tmp_path: Path) -> None:
    grown = benchmarks.grow(tmp_path, ("ingest",), [400, 200], 1)
    assert {name: {size: work.rows for size, work in steps.items()} for name, steps in grown.items()} == {
        "ingest": {200: 153, 400: 305}
    }
    assert not list(tmp_path.glob("world-*"))
    page = report.markdown(Results(400, {}, grown), "make bench")
    assert "| stage | 200 rows | 400 rows |" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--stages", "ingest,nothing"], "'nothing' is not one of ingest"), (["--growth", "1,x"], "'1,x' is neither")],
)
def test_a_wrong_argument_is_named(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        benchmarks.main(arguments)
    assert message in capsys.readouterr().err


def test_every_stage_comes_after_what_it_needs() -> None:
    order = list(STAGES)
    assert all(order.index(need) < order.index(name) for name, needs in NEEDS.items() for need in needs)
    assert all(name in STAGES for stages in KINDS.values() for name in stages)
    assert with_needs(("author_similarity",)) == ["ingest", "author_similarity"]


def test_aims_are_judged_by_rates_seconds_and_growth() -> None:
    measured = {
        "ingest": {"work": measurement(500_000, 2.5, times_smaller=8.1)},
        "similarity_10m": {"work": measurement(10_000_000, 14.0, 1025)},
        "interaction_counts": {"work": measurement(100, 1.0)},
        "interaction_features": {"work": measurement(300, 1.0), "plain": measurement(10, 1.0)},
    }
    growth = {"interaction_features": {10**6: measurement(750, 1.0), 4 * 10**6: measurement(3000, 4.0)}}
    found = {aim.aim: outcome for aim, outcome in outcomes(Results(10**6, measured, growth))}
    assert found == {
        "250 000 rows/s": Outcome("200,000 rows/s", False),
        "files 8 times smaller than the text": Outcome("8.1 times", True),
        "350 000 rows/s at 1.5 M rows": Outcome("300 rows/s, 75 with the counters", False),
        "300 000 rows/s at 6.4 M rows under memory_limit 2GB": Outcome("750 rows/s at 4,000,000, peak 100 MiB", False),
        "linear": Outcome("time grows with rows to the power 1.00", True),
        "20 times plain Python": Outcome("30.0 times", True),
        "10 M edges in 15 s": Outcome("14.00 s (14.00 s wall)", True),
        "10 M edges in 1 GB": Outcome("1,025 MiB", False),
    }


def test_a_small_world_tells_nothing_of_large_ones() -> None:
    measured = {"ingest": {"work": measurement(500, 1.0, times_smaller=9.0)}}
    growth = {"ingest": {10: measurement(10, 1.0), 20: measurement(20, 1.0)}}
    met = {aim.aim: outcome.met for aim, outcome in outcomes(Results(999_999, measured, growth))}
    assert met == {"250 000 rows/s": None, "files 8 times smaller than the text": None, "memory flat": None}


def test_every_aim_is_about_stages_that_are_reported() -> None:
    figures = {"times_smaller": 9.0, "share": 0.3, "bf16": 0.3, "fp32": 0.3}
    measured = {
        name: {kind: measurement(100, 1.0, **figures) for kind, stages in KINDS.items() if name in stages}
        for name in benchmarks.REPORTED
    }
    growth = {name: {1: measurement(1, 1.0), 2: measurement(2, 2.0)} for name in benchmarks.GROWTH_STAGES}
    assert len(outcomes(Results(100, measured, growth))) == len(aims())


def test_a_rerun_replaces_the_generated_part_only(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"# Title\n\n{report.begin('make bench')}\nold\n{report.END}\n\nAfter.\n", encoding="utf-8")
    report.write_into(page, "new")
    once = page.read_text(encoding="utf-8")
    assert once == f"# Title\n\n{report.begin('make bench')}\n\nnew\n\n{report.END}\n\nAfter.\n"
    report.write_into(page, "new")
    assert page.read_text(encoding="utf-8") == once
