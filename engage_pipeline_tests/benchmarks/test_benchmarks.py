"""The benchmarks run on a tiny world, and report what they measured."""

from pathlib import Path

import pytest

from engage_pipeline_tests.benchmarks import __main__ as benchmarks
from engage_pipeline_tests.benchmarks import report
from engage_pipeline_tests.benchmarks.aims import Outcome, Results, aims, outcomes
from engage_pipeline_tests.benchmarks.kinds import KINDS
from engage_pipeline_tests.benchmarks.measuring import Measurement
from engage_pipeline_tests.benchmarks.stages import NEEDS, STAGES, with_needs

ROWS, TRAINING_ROWS = 2000, 1525


def measurement(rows: int, cpu_seconds: float, peak_mib: int = 100, **figures: float) -> Measurement:
    return Measurement(rows, cpu_seconds, cpu_seconds, peak_mib, figures)


@pytest.mark.long
def test_the_command_measures_the_stages_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "performance.md"
    page.write_text("# Performance\n\nBefore.\n", encoding="utf-8")
    benchmarks.main(["--rows", str(ROWS), "--stages", "ingest", "--out", str(page)])
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    (stage,) = [row for row in rows if row[:2] == ["| ingest", f"{TRAINING_ROWS:,}"]]
    assert stage[6] and "Polars" in stage[7] and "reading the file" in stage[8]
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Performance\n\nBefore.\n")
    assert "--rows 2000 --stages ingest --out" in text


@pytest.mark.long
def test_a_run_that_was_stopped_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--rows", str(ROWS), "--folder", str(tmp_path), "--stages"]
    benchmarks.main([*arguments, "ingest"])
    first = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| ingest |"))
    benchmarks.main([*arguments, "ingest,interaction_counts"])
    second = capsys.readouterr().out.splitlines()
    assert first in second  # CPU seconds and peak memory are those of the first time
    assert any(line.startswith("| interaction_counts |") for line in second)


@pytest.mark.long
def test_the_model_of_the_full_size_is_measured(tmp_path: Path) -> None:
    benchmarks.main(["--rows", str(ROWS), "--folder", str(tmp_path), "--stages", "predict_1500,one_row_1500"])
    names = {f"{ROWS}-1-{stage}-work.json" for stage in ("wide_model", "predict_1500", "one_row_1500")}
    assert names <= {path.name for path in tmp_path.iterdir()}


def test_a_wrong_argument_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        benchmarks.main(["--stages", "ingest,nothing"])
    assert "'nothing' is not one of ingest" in capsys.readouterr().err


def test_every_stage_comes_after_what_it_needs() -> None:
    order = list(STAGES)
    assert all(order.index(need) < order.index(name) for name, needs in NEEDS.items() for need in needs)
    assert all(name in STAGES for stages in KINDS.values() for name in stages)
    assert with_needs(("author_similarity",)) == ["ingest", "author_similarity"]


def test_aims_are_judged_by_rates_and_seconds() -> None:
    measured = {
        "ingest": {"work": measurement(500_000, 2.5, times_smaller=8.1)},
        "similarity_10m": {"work": measurement(10_000_000, 14.0, 1025)},
        "interaction_counts": {"work": measurement(100, 1.0), "plain": measurement(20, 2.0)},
        "interaction_features": {"work": measurement(300, 1.0), "plain": measurement(10, 4.0)},
        "predict": {"work": measurement(1000, 0.09)},
        "engagement_trees": {"work": measurement(1700, 1.0)},
    }
    found = {aim.aim: outcome for aim, outcome in outcomes(Results(10**6, measured))}
    assert found == {
        "260 000 rows/s": Outcome("200,000 rows/s", False),
        "files 8 times smaller than the text": Outcome("8.1 times", True),
        "183 000 rows/s": Outcome("75 rows/s", False),
        "20 times plain Python": Outcome("37.5 times", True),
        "10 M edges in 15 s": Outcome("14.00 s (14.00 s wall)", True),
        "10 M edges in 1 GB": Outcome("1,025 MiB", False),
        "100 µs a row, all in": Outcome("90.0 µs a row", True),
        "1 700 rows/s": Outcome("1,700 rows/s", True),
    }


def test_a_small_world_tells_nothing_of_large_ones() -> None:
    measured = {"ingest": {"work": measurement(500, 1.0, times_smaller=9.0)}}
    met = {aim.aim: outcome.met for aim, outcome in outcomes(Results(999_999, measured))}
    assert met == {"260 000 rows/s": None, "files 8 times smaller than the text": None}


def test_every_aim_is_about_stages_that_are_reported() -> None:
    figures = {"times_smaller": 9.0, "share": 0.3, "bf16": 0.3, "fp32": 0.3}
    measured = {
        name: {kind: measurement(100, 1.0, **figures) for kind, stages in KINDS.items() if name in stages}
        for name in benchmarks.REPORTED
    }
    assert len(outcomes(Results(100, measured))) == len(aims())


def test_a_rerun_replaces_the_generated_part_only(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"# Title\n\n{report.begin('make bench')}\nold\n{report.END}\n\nAfter.\n", encoding="utf-8")
    report.write_into(page, "new")
    once = page.read_text(encoding="utf-8")
    assert once == f"# Title\n\n{report.begin('make bench')}\n\nnew\n\n{report.END}\n\nAfter.\n"
    report.write_into(page, "new")
    assert page.read_text(encoding="utf-8") == once
