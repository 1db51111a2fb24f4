"""`engage init`: the folder works, what is there is never touched, and its files are those of the repository."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engage_pipeline.commands.init import FILES, SCHEMA
from engage_pipeline.settings.settings import load_settings

ROOT = Path(__file__).parents[2]
VALIDATOR = str(Path(sys.executable).with_name("check-jsonschema"))
ENGAGE = str(Path(sys.executable).with_name("engage"))


def engage(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "ENGAGE_CONFIG"}
    return subprocess.run(
        [ENGAGE, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=300,
        env=environment | {"DAGSTER_HOME": str(folder)},
    )  # fmt: skip


def test_the_folder_s_files(tmp_path: Path) -> None:
    folder = tmp_path / "a new" / "folder"
    done = engage("init", str(folder), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"cd '{folder}'" in done.stdout
    assert {path.name for path in folder.iterdir()} == {*FILES.values(), SCHEMA}
    for name in ("dagster.yaml", "workspace.yaml"):
        assert (folder / name).read_bytes() == (ROOT / name).read_bytes()
    assert (folder / SCHEMA).read_bytes() == (ROOT / "docs" / SCHEMA).read_bytes()
    settings = load_settings(folder / "config.yaml")
    assert settings.recsys_data == folder / "data" / "raw" / "train"
    subprocess.run([VALIDATOR, "--schemafile", str(folder / SCHEMA), str(folder / "config.yaml")], check=True)


@pytest.mark.parametrize("name", [*FILES.values(), SCHEMA])
def test_nothing_is_overwritten(tmp_path: Path, name: str) -> None:
    """What the folder lacks is written beside it; where it lacks nothing, nothing is done."""
    (tmp_path / name).write_text("mine", encoding="utf-8")
    done = engage("init", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"There already, and left as they are: {name}.\n{tmp_path} is ready.")
    assert {path.name for path in tmp_path.iterdir()} == {*FILES.values(), SCHEMA}
    assert (tmp_path / name).read_text(encoding="utf-8") == "mine"
    again = engage("init", folder=tmp_path)
    assert (again.returncode, again.stderr) == (1, f"engage: {tmp_path}: has all files already; nothing was written\n")
    assert (tmp_path / name).read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["config.yaml", ".gitignore", SCHEMA])
def test_what_has_the_name_of_a_file_but_is_none_stays_and_is_named(tmp_path: Path, name: str) -> None:
    link, folder = tmp_path / "one" / name, tmp_path / "two" / name
    link.parent.mkdir()
    link.symlink_to("nowhere")
    folder.mkdir(parents=True)
    for path, found in ((link, "a link that leads nowhere"), (folder, "not a file")):
        done = engage("init", folder=path.parent)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"engage: {path}: {found}; remove it, or prepare another folder\n"
        assert [one.name for one in path.parent.iterdir()] == [name]
    assert link.readlink() == Path("nowhere")


def test_a_link_to_a_file_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("seed: 3", encoding="utf-8")
    (tmp_path / "config.yaml").symlink_to("mine.yaml")
    done = engage("init", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "config.yaml").readlink() == Path("mine.yaml")


@pytest.mark.long
def test_the_steps_that_it_names_work(tmp_path: Path) -> None:
    shown = engage("init", folder=tmp_path).stdout
    (line,) = [line.partition("#")[0].split() for line in shown.splitlines() if "synthesize" in line]
    sizes = {"240000": "2000", "24000": "200"}
    done = engage(*(sizes.get(word, word) for word in line[1:]), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    made = engage("run", "--target", "tweet_parts", folder=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "part-00003" in made.stderr
    validate = [str(Path(sys.executable).with_name("dagster")), "definitions", "validate", "-w", "workspace.yaml"]
    environment = os.environ | {"DAGSTER_HOME": str(tmp_path), "ENGAGE_CONFIG": str(tmp_path / "config.yaml")}
    loaded = subprocess.run(validate, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert loaded.returncode == 0, loaded.stderr
