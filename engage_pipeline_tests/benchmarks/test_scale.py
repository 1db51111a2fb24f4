"""The cost model against arithmetic by hand."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from engage_pipeline_tests.benchmarks import cost_model, report, scale
from engage_pipeline_tests.benchmarks.cost_model import Rates
from engage_pipeline_tests.benchmarks.rates import read_rates
from engage_pipeline_tests.benchmarks.whole_run import HEADER, ON_SPARK, TARGETS

STAGES = {"ingest": (1000, 100.0), "token_sketches": (250, 10.0)} | dict.fromkeys(scale.MODEL_STAGES, (7, 50.0))


def run(title: str, cpu: float, wall: float, targets: Sequence[str] = TARGETS, peak: str = "1,500") -> str:
    rows = [f"| {name} | {cpu:,.0f} | {wall:,.0f} | 9 | {peak} | 0.5 | 2.00 |" for name in targets]
    return "\n".join([f"### {title}, memory_limit 4GB", "", "4.00 GB of text", "", HEADER, *rows, ""])


def stage_line(name: str, rows: int, rate: float) -> str:
    return f"| {name} | {rows:,} | 1.0 | 1.0 | {rate:,.0f} | 9 |  |  |  |"


def page(*runs: str) -> str:
    stages = [stage_line(name, rows, rate) for name, (rows, rate) in STAGES.items()]
    return "\n".join(["# Performance", *report.HEADER, *stages, "", *runs])


DUCKDB = run("1,000,000 rows on duckdb, 2 threads", 3_600, 1_800)
SPARK = (
    run("1,000,000 rows on spark, 2 threads", 7_200, 5_400, ON_SPARK),
    run("3,000,000 rows on spark, 2 threads", 14_400, 10_800, ON_SPARK, "2,500"),
)


def rates_on(text: str) -> Rates:
    return read_rates(text, scale.MODEL_STAGES)


RATES = rates_on(page(DUCKDB, *SPARK))


def test_what_was_measured_with_all_threads_busy_has_no_serial_share() -> None:
    assert cost_model.line_through(RATES.runs["duckdb"], "tweet_parts").serial == 0
    # 2 million rows more took 7 200 s of CPU and 5 400 of wall: 0.75 = serial + (1 - serial) / 2
    assert cost_model.line_through(RATES.runs["spark"], "tweet_parts").serial == pytest.approx(0.5)


def test_duckdb_takes_time_by_the_row_and_cores_share_it() -> None:
    duckdb = RATES.lines("duckdb")
    assert cost_model.run_cpu_seconds(duckdb, 10_000_000) == len(TARGETS) * 36_000
    assert cost_model.run_hours(duckdb, 10_000_000, 4) == pytest.approx(len(TARGETS) * 10 / 4)


def test_on_spark_two_sizes_tell_what_is_fixed_and_what_cores_share() -> None:
    spark = RATES.lines("spark")
    # 1 and 3 million rows took 7 200 and 14 400 s of CPU, 5 400 and 10 800 of wall: fixed are 3 600 and 2 700
    assert cost_model.run_cpu_seconds(spark, 9_000_000) == pytest.approx(len(ON_SPARK) * 36_000)
    assert cost_model.run_hours(spark, 9_000_000, 5) == pytest.approx(len(ON_SPARK) * (0.75 + 9 * (0.5 + 0.5 / 5)))


def test_what_takes_no_more_time_for_more_rows_is_fixed() -> None:
    runs = rates_on(page(DUCKDB, SPARK[0], SPARK[0].replace("1,000,000 rows", "2,000,000 rows"))).runs
    assert cost_model.line_through(runs["spark"], "tweet_parts") == cost_model.Line(5_400, 7_200, 0, 0, 2_000_000)


def test_models_work_on_their_own_rows() -> None:
    assert RATES.core_hours("token_sketches_768", 720_000) == pytest.approx(720_000 * 0.25 / 50 / 3600)
    assert RATES.core_hours("network_1500", 720_000) == pytest.approx(4)
    assert RATES.core_hours("predict_1500", 720_000) == pytest.approx(4 * 12 / 76)


def test_trees_take_no_longer_beyond_their_most_rows() -> None:
    # 3 600 s a million rows; 5 million validation rows are those of 5 x 76 / 12 million training rows
    trees = {"engagement_trees": RATES.lines("duckdb")["engagement_trees"]}
    assert cost_model.run_cpu_seconds(trees, 31_000_000) == pytest.approx(31 * 3600)
    assert cost_model.run_cpu_seconds(trees, 10**9) == pytest.approx(5 * 76 / 12 * 3600, rel=1e-6)


def test_what_memory_grows_by_is_told_by_two_runs() -> None:
    assert cost_model.grown_mb(RATES.runs["spark"], "tweet_parts") == pytest.approx(500)
    assert cost_model.grown_mb(RATES.runs["duckdb"], "tweet_parts") == 0


def test_the_page_has_a_row_for_each_size_and_the_disk_of_all_targets(tmp_path: Path) -> None:
    (tmp_path / "rates.md").write_text(page(DUCKDB, *SPARK), encoding="utf-8")
    scale.main(["--rates", str(tmp_path / "rates.md"), "--out", str(tmp_path / "scale.md")])
    text = (tmp_path / "scale.md").read_text(encoding="utf-8")
    assert "| 1,000,000 | 11.00 | 1.38 | 0.34 |" in text  # 22 targets of one hour, on 2, 16 and 64 cores
    assert "| 1,000,000 | 5.00 | 0.62 | 0.16 |" in text  # the 10 of them that Spark makes
    # 3 600 s of CPU a million rows, all of it shared; on Spark 3 600 and 2 700 fixed, half of the rest shared
    assert "| tweet_parts | 750.0 | 375.00 | 46.88 | 381.61 | 377.21 |" in text
    assert "| submission | 750.0 | 375.00 | 46.88 |  |  |" in text
    assert "| 10,000,000 | 40.0 | 60.0 | 60.0 | 320.0 |" in text  # 2 GB a target and million rows
    assert "| spark | tweet_parts | 2,700 | 3,600.0 | 50% | 2,500 | 500 |" in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (page(DUCKDB), "there is no table of a run on spark"),
        (page(DUCKDB, *SPARK).replace("| tweet_parts |", "| parts |"), "lacks tweet_parts"),
        (page(DUCKDB, *SPARK).replace("| network_1500 |", "| network |"), "lacks network_1500"),
    ],
)
def test_what_the_page_lacks_is_named(
    tmp_path: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rates.md").write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit):
        scale.main(["--rates", str(tmp_path / "rates.md")])
    assert message in capsys.readouterr().err
