"""Where things are: raw files and a history that are missing, folders named like patterns, a terminal in latin-1."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from engage_pipeline_tests import worlds
from engage_pipeline_tests.faults.forked import Commands, Done, commands
from engage_pipeline_tests.test_cli import engage as engage_anew

pytestmark = pytest.mark.long
RAW = {
    "recsys_data": "set recsys_data to the folder of the training parts",
    "validation_part": "set validation_part to the validation part, which has labels",
    "test_data": "set test_data to the folder of the test parts",
}


@pytest.fixture(scope="module")
def engage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    with commands(tmp_path_factory.mktemp("output")) as started:
        yield started


@pytest.fixture(scope="module")
def home(finished_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("places") / "world"
    worlds.copy_world(finished_world, folder)
    return folder


def only_line(done: Done) -> str:
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("engage: ")]
    return line


@pytest.mark.parametrize("setting", RAW)
def test_raw_files_that_are_missing_name_their_setting(home: Path, engage: Commands, setting: str) -> None:
    config = worlds.write_config(home, **{setting: "nowhere/part-7"}).rename(home / f"{setting}.yaml")
    worlds.write_config(home)
    line = only_line(engage.run(["run", "--config", str(config)], home))
    assert line.startswith(f"engage: {home / 'nowhere' / 'part-7'}: no such ")
    assert RAW[setting] in line
    shown = engage.run(["status", "--config", str(config)], home)
    assert shown.returncode == 0
    assert RAW[setting] in shown.stdout


def test_an_empty_folder_names_its_setting(home: Path, engage: Commands, tmp_path: Path) -> None:
    config = worlds.write_config(home, test_data=str(tmp_path)).rename(home / "empty.yaml")
    worlds.write_config(home)
    line = only_line(engage.run(["run", "--config", str(config)], home))
    assert line.startswith(f"engage: {tmp_path}: no parts")
    assert RAW["test_data"] in line


@pytest.mark.parametrize("place", ["missing", "relative", "broken"])
def test_a_history_that_is_not_there_says_what_to_set(home: Path, engage: Commands, tmp_path: Path, place: str) -> None:
    (tmp_path / "dagster.yaml").write_text("storage: {postgres: {}, sqlite: {}}\n", encoding="utf-8")
    value = {"missing": str(tmp_path / "nowhere"), "relative": "nowhere", "broken": str(tmp_path)}[place]
    for command in ("run", "backfill", "register-parts", "forget", "promote"):
        line = only_line(engage.run([command], home, {"DAGSTER_HOME": value}))
        assert value in line
        assert "DAGSTER_HOME" in line or "dagster.yaml" in line


@pytest.mark.parametrize("name", ["w[ab]", "w*", "w?", "{x,y}", "a b'c\"", "w\\x"])
def test_a_folder_whose_name_is_a_pattern(home: Path, engage: Commands, tmp_path: Path, name: str) -> None:
    """Beside it are folders that it would match, with other parts of the same names."""
    folder = tmp_path / name
    ignored = shutil.ignore_patterns("data", "history", "storage", "schedules", ".logs_queue", "*-*.yaml")
    for other in ("wa", "wb", "wx", "x", "y"):
        worlds.copy_world(home / "data", tmp_path / other / "data")
    shutil.copytree(home, folder, ignore=ignored)
    history = tmp_path / "history"  # Dagster's own takes no question mark
    history.mkdir()
    shutil.copy(home / "dagster.yaml", history)
    arguments = ["run", "--target", "author_similarity", "--target", "test_features"]
    done = engage.run(arguments, folder, {"DAGSTER_HOME": str(history)})
    assert done.returncode == 0, done.stderr
    made, known = (worlds.store_of(place / "config.yaml") for place in (folder, home))
    for artifact in ("interaction_counts", "author_similarity", "test_features"):
        files = made.open(artifact).manifest.files
        assert files == known.open(artifact).manifest.files, artifact


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=str,
)
@pytest.mark.parametrize("command", ["settings", "status", "evaluate"])
def test_a_terminal_that_knows_few_letters(
    home: Path, monkeypatch: pytest.MonkeyPatch, command: str, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    config = home / "é→.yaml"
    shutil.copy(home / "config.yaml", os.fsencode(config))
    arguments = [] if command in {"settings"} else ["--config", str(config)]
    if command == "evaluate":
        results = worlds.store_of(home / "config.yaml").open("submission").path("results.csv")
        arguments += ["--predictions", str(results), "--labels", str(home / "raw" / "test_labels.parquet")]
    done = engage_anew(command, *arguments, cwd=home, encoding="latin-1")  # whatever the bytes
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout
