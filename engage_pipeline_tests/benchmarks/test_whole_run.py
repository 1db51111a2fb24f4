"""Runs of growing size through every asset, in a small world, and how they grow."""

from pathlib import Path

import pytest

from engage_pipeline_tests.benchmarks import report, whole_run
from engage_pipeline_tests.benchmarks.rates import read_rates
from engage_pipeline_tests.benchmarks.whole_run import TARGETS, Figures


def figures(rows: int, cpu: float) -> Figures:
    return Figures("tweet_parts", rows, cpu, cpu, 100, 50, 0, rows * 60)


def test_growth_of_two_runs_is_the_power_between_them() -> None:
    # 4 times the rows in twice the time: 4 ** 0.5
    runs = [{"tweet_parts": figures(rows, cpu)} for rows, cpu in ((4000, 8.0), (16000, 16.0))]
    line = whole_run.growth(runs).splitlines()[-1]
    assert line == "| tweet_parts | 500/s, 100 MB | 1,000/s, 100 MB | 16 | 16 | 0.50 | 0.0 | 60.0 |"


def test_growth_of_three_runs_leaves_out_what_the_smallest_takes() -> None:
    # beyond 1,000 rows in 10 s: 2,000 rows in 1 s, then 32,000 in 4 s: 16 ** 0.5
    runs = [{"tweet_parts": figures(rows, cpu)} for rows, cpu in ((1000, 10.0), (3000, 11.0), (33000, 14.0))]
    line = whole_run.growth(runs).splitlines()[-1]
    assert line == "| tweet_parts | 100/s, 100 MB | 273/s, 100 MB | 2,357/s, 100 MB | 14 | 14 | 0.50 | 0.0 | 60.0 |"


def test_growth_of_more_runs_has_a_power_for_each_step() -> None:
    # beyond 1,000 rows in 10 s: 2,000 rows in 1 s, 8,000 in 4 s (4 ** 1), 32,000 in 8 s (4 ** 0.5)
    sizes = ((1000, 10.0), (3000, 11.0), (9000, 14.0), (33000, 18.0))
    line = whole_run.growth([{"tweet_parts": figures(rows, cpu)} for rows, cpu in sizes]).splitlines()[-1]
    assert [cell.strip() for cell in line.split("|")][-4] == "1.00, 0.50"


@pytest.mark.parametrize(("seconds", "expected"), [([3.0, 9.0, 5.0], 5.0), ([61.0], 61.0)])
def test_the_median_counts_of_what_takes_few_seconds(
    seconds: list[float], expected: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was made is gone before it is made again."""
    left, config = list(seconds), whole_run.write_config(tmp_path, {"kind": "duckdb"})
    made = tmp_path / "data" / "ingest" / "tweet_parts"

    def make(_: Path, target: str, rows: int) -> Figures:
        assert target == "tweet_parts"
        made.mkdir(parents=True)
        return figures(rows, left.pop(0))

    monkeypatch.setattr(whole_run, "make", make)
    assert whole_run.make_again(config, "tweet_parts", 1000, 3).cpu == expected
    assert not left
    assert made.is_dir()


def test_a_target_is_made_of_all_sizes_before_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = []

    def make(config: Path, target: str, rows: int) -> Figures:
        made.append((target, config.parent.name))
        return Figures(target, rows, 1.0, 1.0, 100, 50, 0, rows)

    monkeypatch.setattr(
        whole_run, "make_shards", lambda folder, rows, _: (folder / "raw" / "train").mkdir(parents=True)
    )
    monkeypatch.setattr(whole_run, "make", make)
    whole_run.main(["--folder", str(tmp_path), "--rows", "4000,1000", "--targets", "tweet_parts", "test_tweets"])
    sizes = ("duckdb-1000", "duckdb-4000")
    assert made == [(target, size) for target in ("tweet_parts", "test_tweets") for size in sizes]
    table = capsys.readouterr().out
    assert table.index("1,000 rows on duckdb") < table.index("4,000 rows on duckdb")


def test_shards_are_parts_and_one_validation_part(tmp_path: Path) -> None:
    whole_run.make_shards(tmp_path, rows=3000, shard_rows=1000)
    raw = tmp_path / "raw"
    lines = {
        str(path.relative_to(raw)): path.read_bytes().count(b"\n") for path in sorted(raw.rglob("*")) if path.is_file()
    }
    before = (raw / "validation" / "part-00000").read_bytes()
    assert [name for name in lines if name.startswith("test")] == [f"test/part-0000{n}" for n in range(3)]
    assert sum(count for name, count in lines.items() if name.startswith("train")) == pytest.approx(3000, rel=0.02)
    assert lines["validation/part-00000"] == pytest.approx(3 * lines["test/part-00000"], rel=0.1)
    whole_run.make_shards(tmp_path, rows=3000, shard_rows=1000)
    assert (raw / "validation" / "part-00000").read_bytes() == before


@pytest.mark.long
def test_every_asset_is_made_and_the_page_is_read_again(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    whole_run.main(["--folder", str(tmp_path), "--rows", "4000", "--shard-rows", "2000", "--out", str(page)])
    text = page.read_text(encoding="utf-8")
    assert text.startswith(report.begin("a whole run on duckdb"))
    assert [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")][1:] == list(TARGETS)
    with pytest.raises(ValueError, match="no table of a run on spark"):
        read_rates(text, ())
    results = (tmp_path / "duckdb-4000" / "data" / "latest" / "results.csv").read_bytes()
    tested = sum(part.read_bytes().count(b"\n") for part in (tmp_path / "duckdb-4000" / "raw" / "test").iterdir())
    assert results.count(b"\n") == tested
