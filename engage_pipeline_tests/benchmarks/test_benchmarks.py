"""The benchmarks run on a tiny world; the plain Python they are held against computes what the library does."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline_tests.benchmarks import __main__ as benchmarks
from engage_pipeline_tests.benchmarks import baselines, plain, report
from engage_pipeline_tests.benchmarks.measuring import measure_here
from engage_pipeline_tests.benchmarks.stages import with_needs
from engage_pipeline_tests.benchmarks.world import PART, World

ROWS = 2000
TRAINING_ROWS = 1525
"""Of ROWS, as synthesize documents."""
FEATURE_STAGES = with_needs(("interaction_features",))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("bench"), ROWS, 1)
    world.make()
    for stage in FEATURE_STAGES:
        measure_here("work", stage, world)
    return world


@pytest.mark.slow
def test_the_command_measures_the_stages_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "performance.md"
    page.write_text("# Performance\n\nBefore.\n", encoding="utf-8")
    benchmarks.main(["--rows", str(ROWS), "--stages", "ingest,interaction_features", "--out", str(page)])
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")][1:]
    assert [row[:2] for row in rows] == [
        [f"| {name}", f"{TRAINING_ROWS:,}"] for name in ("ingest", "interaction_features")
    ]
    assert all(row[6] and row[7] for row in rows)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Performance\n\nBefore.\n")
    assert "--rows 2000 --stages ingest,interaction_features" in text


def test_an_unknown_stage_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        benchmarks.main(["--stages", "ingest,nothing"])
    assert "'nothing' is not one of ingest" in capsys.readouterr().err


def test_plain_features_equal_the_librarys(made: World) -> None:
    tweets = pq.read_table(made.store.open("tweet_parts", PART).path("tweets.parquet")).to_pylist()
    of_row = baselines.feature_reader(made, tweets)
    found = {row[schema.LINE_NUMBER]: of_row(row) for row in tweets}
    features = pq.read_table(made.store.open("interaction_features", PART).path("features.parquet")).to_pylist()
    assert len(found) == len(features) == TRAINING_ROWS
    for row in features:
        expected = [row[name] for name in schema.INTERACTION_FEATURES]
        assert found[row[schema.LINE_NUMBER]] == pytest.approx(expected, rel=1e-9)
    sums = [sum(row[name] for row in features) for name in ("pair_like", "hashtag_like", "valid_viewer_negative")]
    assert all(sums)


def test_plain_lines_equal_the_librarys(made: World) -> None:
    with made.source("tweet_parts").open(encoding="utf-8", newline="\n") as file:
        read = [plain.read_line(line) for line in file]
    for row in pq.read_table(made.store.open("tweet_parts", PART).path("tweets.parquet")).to_pylist():
        assert read[row[schema.LINE_NUMBER]] == {name: row[name] for name in schema.COLUMN_NAMES}


@pytest.mark.parametrize("stage", sorted(baselines.LIMITS))
def test_limits_read_every_row(made: World, stage: str) -> None:
    rows = measure_here("limit", stage, made).rows
    assert rows >= TRAINING_ROWS
    assert rows % TRAINING_ROWS == 0


def test_a_rerun_replaces_the_generated_part_only(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"# Title\n\n{report.BEGIN}\nold\n{report.END}\n\nAfter.\n", encoding="utf-8")
    report.write_into(page, "new")
    once = page.read_text(encoding="utf-8")
    assert once == f"# Title\n\n{report.BEGIN}\n\nnew\n\n{report.END}\n\nAfter.\n"
    report.write_into(page, "new")
    assert page.read_text(encoding="utf-8") == once
