"""The command: help everywhere, and every mistake of a user one clear line without a trace."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engage_pipeline.machine import garbage
from engage_pipeline_tests import worlds

ENGAGE = str(Path(sys.executable).with_name("engage"))
COMMANDS = (
    "synthesize",
    "run",
    "status",
    "register-parts",
    "predict",
    "evaluate",
    "explain",
    "settings",
    "rejects",
    "forget",
    "compare",
)


def engage(
    *arguments: str, home: Path | None = None, cwd: Path | None = None, encoding: str | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in {"DAGSTER_HOME", "ENGAGE_CONFIG"}}
    if home:
        environment["DAGSTER_HOME"] = str(home)
    return subprocess.run(
        [ENGAGE, *arguments],
        capture_output=True,
        text=True,
        encoding=encoding,
        check=False,
        env=environment,
        cwd=cwd or home,
    )


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_every_command_has_help(command: tuple[str, ...]) -> None:
    shown = engage(*command, "--help")
    assert shown.returncode == 0
    assert "Usage" in shown.stdout


def assert_one_line(done: subprocess.CompletedProcess[str], status: int, *named: str) -> None:
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("engage: ")]
    for text in named:
        assert text in line


def test_each_mistake_in_the_settings_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("seed: -1\nsketch_widht: 3\n", encoding="utf-8")
    done = engage("status", "--config", "config.yaml", "--set", "network.epochs=0", "--json", cwd=tmp_path)
    assert done.returncode == 1
    lines = [
        "config.yaml: seed: must be greater than or equal to 0 (found -1)",
        "--set: network.epochs: must be greater than or equal to 1 (found 0)",
        "config.yaml: sketch_widht: no such setting; did you mean sketch_width?",
    ]
    assert done.stderr.splitlines() == [f"engage: {line}" for line in lines]
    assert json.loads(done.stdout) == {"error": "\n".join(lines)}


def test_a_missing_validation_part_is_named_before_any_work(tmp_path: Path) -> None:
    config = worlds.make_world(tmp_path)
    (tmp_path / "raw" / "validation" / "part-00000").unlink()
    assert_one_line(engage("run", "--config", str(config), home=tmp_path), 1, "validation")
    assert not (tmp_path / "data" / "ingest").exists()


def test_a_mistake_in_the_settings_is_named(tmp_path: Path) -> None:
    config = worlds.write_config(tmp_path, sketch_widht=3)
    assert_one_line(engage("run", "--config", str(config), home=tmp_path), 1, "config.yaml", "sketch_widht")


def test_an_unknown_preset_or_target_is_named(tmp_path: Path) -> None:
    config = worlds.write_config(tmp_path)
    assert_one_line(engage("run", "--config", str(config), "--preset", "best", home=tmp_path), 1, "best")
    assert_one_line(engage("run", "--config", str(config), "--target", "x", home=tmp_path), 1, "--target x")


def test_without_a_dagster_home_the_line_says_so(tmp_path: Path) -> None:
    config = worlds.write_config(tmp_path)
    assert_one_line(engage("run", "--config", str(config), cwd=tmp_path), 1, "DAGSTER_HOME")


def test_predicting_without_a_model_names_what_to_materialize(tmp_path: Path) -> None:
    config = worlds.make_world(tmp_path)
    arguments = ["--input", str(tmp_path / "raw" / "test"), "--output", str(tmp_path / "results.csv")]
    done = engage("predict", *arguments, "--config", str(config), home=tmp_path)
    assert_one_line(done, 1, "not there yet: materialize it first (engage run)")
    assert not (tmp_path / "results.csv").exists()


def test_a_bad_part_fails_the_run_with_its_name_and_reason(tmp_path: Path) -> None:
    config = worlds.make_world(tmp_path)
    part = tmp_path / "raw" / "train" / "part-00001"
    part.write_bytes(b"x\n" * 500 + part.read_bytes())
    assert_one_line(engage("run", "--config", str(config), home=tmp_path), 1, "part-00001", "max_rejected_share")
    store = worlds.store_of(config)
    assert store.manifest("tweet_parts", "part-00000")
    assert store.manifest("tweet_parts", "part-00002")


def test_parts_are_registered_once(tmp_path: Path) -> None:
    config = worlds.make_world(tmp_path)
    first = engage("register-parts", "--config", str(config), home=tmp_path)
    second = engage("register-parts", "--config", str(config), home=tmp_path)
    assert first.stdout.startswith("3 parts added, 0 were there: part-00000, part-00001, part-00002")
    assert second.stdout.startswith("0 parts added, 3 were there")


def test_a_wrong_command_line_exits_with_two() -> None:
    assert engage("evaluate").returncode == 2
    assert engage("nonsense").returncode == 2


def test_status_tells_what_is_there(finished_world: Path, tmp_path: Path) -> None:
    """In a folder without a dagster.yaml: Dagster's history in the checkout is of whatever ran there."""
    shown = engage("status", "--config", str(finished_world / "config.yaml"), cwd=tmp_path)
    assert shown.returncode == 0
    assert [line for line in shown.stdout.splitlines()[1:] if not line.endswith("current")] == []


def test_a_command_looks_for_garbage_rarely() -> None:
    then = "import atexit, gc; atexit.register(lambda: print(gc.get_threshold()[0]))"
    program = f"{then}; from engage_pipeline.cli import main; main()"
    shown = subprocess.run([sys.executable, "-c", program, "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == str(garbage.OBJECTS)
