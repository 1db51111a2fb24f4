"""What `make setup` installs: the base alone, in the versions of constraints.txt, with any build of torch."""

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from engage_pipeline_tests.worlds import REPOSITORY

CONSTRAINTS = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def versions() -> dict[str, str]:
    return dict(line.split("==") for line in CONSTRAINTS if not line.startswith("#"))


def commands(target: str, *arguments: str, folder: Path = REPOSITORY) -> list[str]:
    """What make would run for a target in a checkout where nothing is installed."""
    command = ["make", "--dry-run", "--always-make", "--no-print-directory", target, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.replace("\\\n", " ").splitlines() if " pip install " in line]


def test_the_constraints_are_versions_and_nothing_else() -> None:
    assert [line for line in CONSTRAINTS[1:] if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line)] == []
    assert CONSTRAINTS[1:] == sorted(CONSTRAINTS[1:], key=lambda line: line.partition("==")[0])
    assert not any(line.startswith(("nvidia-", "triton", "engage")) for line in CONSTRAINTS)


def test_every_dependency_is_pinned_within_its_range() -> None:
    pinned = versions()
    for line in chain(PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()):
        wanted = Requirement(line)
        if wanted.name != PROJECT["name"]:
            version = pinned[canonicalize_name(wanted.name)]
            assert wanted.specifier.contains(version), line
            assert wanted.specifier.contains(Version(f"{version}+cpu")), line


def test_the_package_is_found_in_a_folder_that_holds_a_checkout(tmp_path: Path) -> None:
    """The checkout's folder has the package's name, and no `__init__.py`."""
    (tmp_path / "engage_pipeline" / "engage_pipeline").mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", "import engage_pipeline; print(engage_pipeline.__file__)"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("engage_pipeline/__init__.py\n")


def test_setup_installs_the_base_and_each_target_what_it_needs() -> None:
    (base,) = commands("setup")
    assert "--constraint constraints.txt" in base
    assert base.endswith("--editable .")
    assert "index" not in base
    for target, extra in {
        "test": "test",
        "test-long": "test",
        "lint": "lint",
        "audit": "lint",
        "bench": "bench",
    }.items():
        assert [line.split()[-1] for line in commands(target)] == [".", f"'.[{extra}]'"], target
    assert [line.split()[-1] for line in commands("run")] == ["."]
    assert {line.split()[-1] for line in commands("development")} == {".", "'.[test]'", "'.[lint]'", "'.[bench]'"}


def test_another_build_of_torch_is_one_variable_away() -> None:
    (base,) = commands("setup", "TORCH_INDEX=https://example.org/whl/cpu", "PIP_OPTIONS=--no-compile")
    assert " --no-compile " in base
    assert " --extra-index-url https://example.org/whl/cpu " in base


@pytest.fixture(scope="module")
def lock() -> object:
    spec = importlib.util.spec_from_file_location("lock", REPOSITORY / ".ci" / "lock.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_lock_names_no_build(lock: object) -> None:
    packages = [
        ("Torch", "2.13.0+cpu"),
        ("nvidia-cublas", "13.1"),
        ("triton", "3"),
        ("a_b", "1"),
        ("engage_pipeline", "0"),
    ]
    assert lock.pinned(packages) == "a-b==1\ntorch==2.13.0\n"  # type: ignore[attr-defined]
