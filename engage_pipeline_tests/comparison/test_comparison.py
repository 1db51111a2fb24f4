"""A comparison from end to end on a world of 3 000 rows: one contender fails, it goes on, nothing runs twice."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from engage_pipeline.comparison import runs
from engage_pipeline.comparison.comparison import Plan, compare
from engage_pipeline.comparison.contenders import ablations, common_values
from engage_pipeline.comparison.worlds import Variant, WorldSpec, make_world
from engage_pipeline.errors import UserError
from engage_pipeline.files.atomic import exclusive
from engage_pipeline.settings.settings import settings_from
from engage_pipeline.submission.scoring.report import score_predictions
from engage_pipeline.synthetic.recipes import Recipe
from engage_pipeline_tests.comparison.test_tables import rows

ENGAGE = str(Path(sys.executable).with_name("engage"))
WORLD = WorldSpec(3000, 1)
SMALL = {
    "sketch_width": 16,
    "sketch_depth": 4,
    "encoder": {"tiny_dim": 8, "tiny_layers": 1, "max_tweets": 100, "max_tokens": 12},
    "network": {"hidden_size": 8, "epochs": 1},
    "trees": {"n_estimators": 10},
    "training_threads": 1,
    "engine": {"threads": 1, "memory_limit": "1GB"},
}


def engage(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ENGAGE, "compare", *arguments], capture_output=True, text=True, check=False)


def state(folder: Path) -> dict[str, int]:
    """When each file below `folder` was written."""
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and path.name != "results.md"
    }


def table(page: Path, title: str) -> list[list[str]]:
    """The first table under the heading."""
    section = page.read_text(encoding="utf-8").split(f"## {title}\n\n", maxsplit=1)[1].split("\n\n", maxsplit=1)[0]
    return rows(section)


@pytest.mark.long
def test_a_comparison_goes_on_after_a_failure_and_where_it_was_stopped(tmp_path: Path):
    out, config, encoder = tmp_path / "out", tmp_path / "small.yaml", tmp_path / "no-weights"
    encoder.mkdir()
    options = ["--out", str(out), "--sizes", "3000", "--seeds", "1", "--config", str(config)]

    broken = SMALL | {"encoder": {"model": str(encoder)}}
    config.write_text(yaml.safe_dump(broken))
    done = engage(*options, "--presets", "default,reference_trees")
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("engage: ")]
    assert done.returncode == 1
    assert line.startswith("engage: 1 of 2 runs failed: default: ")
    assert "Traceback" not in done.stderr
    overall = table(out / "results.md", "Overall")
    assert overall[1][1:3] == ["default", "failed"]
    assert overall[2][1] == "reference_trees"
    assert "no-weights" in (out / "results.md").read_text().split("## Failed")[1].split("##")[0]
    first = state(out)

    config.write_text(yaml.safe_dump(SMALL))
    plan = Plan([WORLD], ["synerise", "reference_trees", "default"])
    outcomes = compare(out, plan, common_values(config), "engage compare")
    assert [(outcome.contender, outcome.problem) for outcome in outcomes] == [(name, None) for name in plan.presets]
    second = state(out)
    kept = [name for name in first if "reference_trees" in name or name.startswith("worlds/")]
    assert {name: second[name] for name in kept} == {name: first[name] for name in kept}
    assert not list(out.glob("runs/*/*/data"))

    assert compare(out, plan, common_values(config), "again") == outcomes
    assert state(out) == second
    page = out / "results.md"
    assert "```\nagain\n```" in page.read_text()
    assert len(table(page, WORLD.title)) == 1 + 5 * 4
    overall = {row[1]: row for row in table(page, "Overall")[1:]}
    for name in plan.presets:
        check_scores(overall[name], out / "runs" / "3000-1" / name / "results.csv", out / "worlds" / "3000-1")


def check_scores(row: list[str], results: Path, world: Path) -> None:
    """What is shown is what `engage evaluate` says of the results."""
    truth = world / "test_labels.parquet", world / "test_oracle.parquet"
    said = score_predictions(results, *truth, settings_from({}, folder=world)).to_text()
    mean, share, low, _, high, by_group = said.splitlines()[-1].split()
    assert [mean, share, by_group] == ["mean", row[2], row[4]]
    assert float(row[3]) == pytest.approx((float(high) - float(low)) / 2, abs=0.11)
    assert float(row[9]) > 0
    assert float(row[10]) > 0
    assert float(row[11]) > 200


def test_a_world_is_made_once_and_a_half_made_one_again(tmp_path: Path):
    half = tmp_path / ".tmp-2000-1"
    (half / "train").mkdir(parents=True)
    (half / "train" / "part-00000").write_text("half\n")
    raw = make_world(WorldSpec(2000, 1), tmp_path)
    assert not half.exists()
    assert len(list(raw.train.iterdir())) == 4
    before = state(tmp_path)
    assert make_world(WorldSpec(2000, 1), tmp_path) == raw
    assert state(tmp_path) == before


def test_worlds_of_all_kinds_are_others(tmp_path: Path):
    """Told apart by their raw bytes and by their names, also those of their variants."""
    worlds = [WorldSpec(2000, 1, kind=kind) for kind in (Recipe.PLAIN, Recipe.NETWORK)]
    made = [next(make_world(world, tmp_path).train.iterdir()).read_bytes() for world in worlds]
    assert made[0] != made[1]
    assert [world.title for world in worlds] == ["2,000 rows, seed 1", "2,000 rows, network, seed 1"]
    names = {replace(world, variant=variant).name for world in worlds for variant in Variant}
    assert names >= {"2000-1", "2000-1-network", "2000-1-network-shuffled"}
    assert len(names) == 2 * len(Variant)


def test_families_are_left_out_on_the_first_world_of_each_kind():
    drift, later = (WorldSpec(3000, seed, kind=Recipe.DRIFT) for seed in (1, 2))
    plan = Plan([drift, later, WORLD], ["default"], ablation=True)
    jobs = [(world, one.name) for world, one in plan.jobs()]
    without = [one.name for one in ablations().values()]
    assert len(jobs) == len(set(jobs)) == 3 + 2 * len(without)
    assert {job for job in jobs if job[1] != "default"} == {
        (world, name) for world in (drift, WORLD) for name in without
    }
    assert Plan([drift, WORLD], ["default"]).ablated == []


def test_a_preset_that_is_not_compared_is_run_where_families_are_left_out():
    drift = WorldSpec(3000, 1, kind=Recipe.DRIFT)
    jobs = list(Plan([drift, WORLD], ["demo"], ablation=True).jobs())
    assert [world for world, one in jobs if one.name == "default"] == [drift, WORLD]


def test_a_world_that_can_not_be_made_is_told_before_any_run(tmp_path: Path):
    with pytest.raises(UserError, match="rows: 50 is too few"):
        compare(tmp_path, Plan([WorldSpec(50, 1)], ["default"]), common_values(None), "compare")
    assert not (tmp_path / "runs").exists()


def test_two_comparisons_do_not_work_in_one_folder(tmp_path: Path):
    with exclusive(tmp_path / ".lock", "held"), pytest.raises(UserError, match="another comparison is running there"):
        compare(tmp_path, Plan([WORLD], ["default"]), common_values(None), "compare")


def test_settings_of_the_environment_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """They are named in one line, and neither what is measured nor where it is kept follows them."""
    monkeypatch.setenv("ENGAGE__SEED", "x")  # no seed: whoever reads it fails
    monkeypatch.setenv("ENGAGE__WORKING_DIR", str(tmp_path / "store"))
    seen = []
    monkeypatch.setattr(runs, "_run", lambda contender, config, settings, folder: seen.append(settings))
    caplog.set_level("INFO", "engage_pipeline")
    (found,) = compare(tmp_path / "out", Plan([WORLD], ["demo"]), common_values(None), "compare")
    assert "results.csv" in str(found.problem)  # as nothing was run
    (settings,) = seen
    assert settings.seed == settings_from({}, folder=tmp_path).seed
    assert settings.working_dir == tmp_path / "out" / "runs" / WORLD.name / "demo" / "data"
    (line,) = [message for message in caplog.messages if "ENGAGE__" in message]
    assert line.endswith("do not count, as its settings come from --config alone: ENGAGE__SEED, ENGAGE__WORKING_DIR")
    assert not (tmp_path / "store").exists()


def test_a_comparison_that_is_ended_ends_the_run_it_waits_for(tmp_path: Path):
    out = tmp_path / "out"
    arguments = [ENGAGE, "compare", "--out", str(out), "--sizes", "2000:1", "--presets", "default"]
    comparison = subprocess.Popen(arguments, stderr=subprocess.DEVNULL)
    try:
        run = wait_for(lambda: child_of(comparison.pid, "run"))
        comparison.terminate()
        assert comparison.wait() == 128 + 15
        assert not Path("/proc", str(run)).exists()
    finally:
        comparison.kill()
        comparison.wait()


def child_of(parent: int, command: str) -> int | None:
    """The child that runs this command of `engage`, if there is one yet."""
    for name in Path("/proc", str(parent), "task", str(parent), "children").read_text().split():
        try:
            if f"\0{command}\0" in Path("/proc", name, "cmdline").read_text():
                return int(name)
        except OSError:
            continue
    return None


def wait_for(found: Callable[[], Any]) -> Any:
    """What `found` gives once that is true."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.05)
    raise AssertionError("waited for two minutes")
