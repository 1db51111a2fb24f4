"""`.ci/run`: everything is run, and whatever fails fails it, although lint and audit run beside the tests."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from engage_pipeline_tests.worlds import REPOSITORY

STEPS = ("setup", "development", "test-all", "lint", "audit")
CACHED = 'test -z "$$PYTHONDONTWRITEBYTECODE"'
"""Else each of hundreds of processes would compile what pip has not."""


def run_ci(folder: Path, failing: str, installed: bool = True) -> "subprocess.CompletedProcess[str]":
    """The script in a folder whose Makefile notes its targets, on a machine that has all packages, or none."""
    (folder / ".ci").mkdir()
    shutil.copy(REPOSITORY / ".ci" / "run", folder / ".ci")
    recipes = [f"{step}:\n\t@echo {step} is run\n\t@{CACHED} && test {step} != '{failing}'\n" for step in STEPS]
    (folder / "Makefile").write_text("".join(recipes), encoding="utf-8")
    programs = folder / "programs"
    programs.mkdir()
    found = "echo install ok installed" if installed else "exit 1"
    answers = {"dpkg-query": found, "apt-get": 'echo apt-get "$@"', "npm": 'echo npm "$@" >&2'}
    for name, answer in answers.items():
        (programs / name).write_text(f"#!/bin/sh\n{answer}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    outer = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    environment = {**outer, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [str(folder / ".ci" / "run")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_it_runs_everything(tmp_path: Path) -> None:
    done = run_ci(tmp_path, failing="")
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == sorted(f"{step} is run" for step in STEPS)
    assert "npm ci --prefix .ci " in done.stderr


@pytest.mark.parametrize("failing", ["lint", "audit", "test-all"])
def test_one_that_fails_fails_the_run_and_the_tests_are_run(tmp_path: Path, failing: str) -> None:
    done = run_ci(tmp_path, failing)
    assert done.returncode != 0
    assert "test-all is run" in done.stdout
    assert f"{failing} is run" in done.stdout
    assert done.stderr.endswith(".ci/run: failed: see above\n")


def test_without_the_environment_nothing_is_run(tmp_path: Path) -> None:
    done = run_ci(tmp_path, failing="development")
    assert (done.returncode != 0, done.stdout) == (True, "setup is run\ndevelopment is run\n")


def test_what_the_tests_need_is_installed(tmp_path: Path) -> None:
    """Each is a program of Debian that a test skips without, or fails."""
    done = run_ci(tmp_path, failing="", installed=False)
    install = next(line for line in done.stdout.splitlines() if line.startswith("apt-get install"))
    needed = {
        "chromium",
        "chromium-driver",
        "gcc",
        "git",
        "lzop",
        "make",
        "mount",
        "postgresql",
        "strace",
        "tzdata",
        "zstd",
    }
    assert needed <= set(install.split())


def test_the_emulator_of_azure_is_pinned_with_all_it_brings() -> None:
    """By version and content, and without the address of a registry, which is the machine's business."""
    wanted = json.loads((REPOSITORY / ".ci" / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    text = (REPOSITORY / ".ci" / "package-lock.json").read_text(encoding="utf-8")
    locked = {name.removeprefix("node_modules/"): one for name, one in json.loads(text)["packages"].items() if name}
    assert {name: locked[name]["version"] for name in wanted} == wanted
    assert all(one.get("integrity", "").startswith("sha512-") for one in locked.values())
    assert '"resolved"' not in text


def test_its_targets_are_those_of_the_makefile() -> None:
    targets = {line.split(":")[0] for line in (REPOSITORY / "Makefile").read_text().splitlines() if ": .venv/." in line}
    assert set(STEPS) <= targets
