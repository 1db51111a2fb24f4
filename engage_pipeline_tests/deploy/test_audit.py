"""The audit of what is installed: it fails for what a new environment would fix, and is skipped without its data."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from engage_pipeline_tests.worlds import REPOSITORY

SCRIPT = REPOSITORY / ".ci" / "audit.py"


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def package(*fixes: list[str], name: str = "a") -> dict:
    vulns = [{"id": f"PYSEC-{number}", "fix_versions": versions} for number, versions in enumerate(fixes)]
    return {"name": name, "version": "1", "vulns": vulns}


NOT_FOUND = {"name": "b", "skip_reason": "Dependency not found on PyPI"}
PYPROJECT = """
[project]
dependencies = ["a>=1,<2"]
[project.optional-dependencies]
dev = ["b", "A[extra]<1.9", "Some_Name>=1,<3"]
"""
UNFIXED = "audit: a 1: PYSEC-0, not fixed in any version yet\n"


@pytest.mark.parametrize(
    ("packages", "status", "said"),
    [
        ([package(), NOT_FOUND], 0, "audit: 1 of 2 packages looked up\n"),
        (
            [package(["1.1", "2"])],
            1,
            "audit: a 1: PYSEC-0, fixed in 1.1, 2: install it (pyproject.toml allows it)\n"
            "audit: 1 of 1 packages looked up\n",
        ),
        ([package(["2", "3"])], 0, "audit: a 1: PYSEC-0, fixed in 2, 3, pyproject.toml allows <1.9,<2,>=1\n"),
        ([package(["1.9"])], 0, "audit: a 1: PYSEC-0, fixed in 1.9, pyproject.toml allows <1.9,<2,>=1\n"),
        ([package(["1.1rc1"])], 0, "audit: a 1: PYSEC-0, fixed in 1.1rc1, pyproject.toml allows <1.9,<2,>=1\n"),
        ([package(["2"], name="of-another")], 0, "audit: of-another 1: PYSEC-0, fixed in 2, not named in pyproject"),
        (
            [package([], ["1.2"])],
            1,
            f"{UNFIXED}audit: a 1: PYSEC-1, fixed in 1.2: install it (pyproject.toml allows it)\n",
        ),
        (
            [package(["1.2"], ["2"]), package(["9"], name="some.name")],
            1,
            "audit: a 1: PYSEC-0, fixed in 1.2: install it (pyproject.toml allows it)\n"
            "audit: a 1: PYSEC-1, fixed in 2, pyproject.toml allows <1.9,<2,>=1\n"
            "audit: some.name 1: PYSEC-0, fixed in 9, pyproject.toml allows <3,>=1\n",
        ),
        ([package([])], 0, UNFIXED),
        ([NOT_FOUND, NOT_FOUND], 0, "audit: skipped: Dependency not found on PyPI\n"),
        ([], 0, "audit: skipped: no packages\n"),
    ],
)
def test_only_what_can_be_fixed_in_range_fails(
    audit: ModuleType,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    packages: list[dict],
    status: int,
    said: str,
) -> None:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    allowed = audit.ranges(tmp_path / "pyproject.toml")
    assert audit.verdict({"dependencies": packages}, allowed) == status
    assert capsys.readouterr().out.startswith(said)


def test_the_ranges_are_those_of_the_project(audit: ModuleType) -> None:
    allowed = audit.ranges(audit.PYPROJECT)
    assert allowed["duckdb"] == "<2.1,>=2.0"
    assert {"pyyaml", "pytest", "dagster-k8s", "setsimilaritysearch", "atheris"} <= allowed.keys()


def test_without_a_network_it_is_skipped_with_the_reason() -> None:
    pytest.importorskip("pip_audit")
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    environment = {**os.environ, **nowhere, "NO_PROXY": "", "no_proxy": ""}
    done = subprocess.run([sys.executable, str(SCRIPT)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("audit: skipped: ")
    assert "127.0.0.1" in done.stdout


def test_ci_runs_it() -> None:
    assert "make audit" in (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    assert "\t$(BIN)/python .ci/audit.py" in (REPOSITORY / "Makefile").read_text(encoding="utf-8").splitlines()
