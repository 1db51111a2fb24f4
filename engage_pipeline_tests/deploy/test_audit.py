"""The audit of what is installed: it fails for what can be mended, and is skipped without its data."""

import importlib.util
import os
import subprocess
import sys
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


def package(*fixes: list[str]) -> dict:
    vulns = [{"id": f"PYSEC-{number}", "fix_versions": versions} for number, versions in enumerate(fixes)]
    return {"name": "a", "version": "1", "vulns": vulns}


NOT_FOUND = {"name": "b", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("packages", "status", "said"),
    [
        ([package(), NOT_FOUND], 0, "audit: 1 of 2 packages looked up\n"),
        ([package(["2", "3"])], 1, "audit: a 1: PYSEC-0, mended in 2, 3\n"),
        (
            [package([], ["2"])],
            1,
            "audit: a 1: PYSEC-0, not mended in any version yet\naudit: a 1: PYSEC-1, mended in 2\n",
        ),
        ([package([])], 0, "audit: a 1: PYSEC-0, not mended in any version yet\n"),
        ([NOT_FOUND, NOT_FOUND], 0, "audit: skipped: Dependency not found on PyPI\n"),
        ([], 0, "audit: skipped: no packages\n"),
    ],
)
def test_the_verdict(
    audit: ModuleType, capsys: pytest.CaptureFixture[str], packages: list[dict], status: int, said: str
) -> None:
    assert audit.verdict({"dependencies": packages}) == status
    assert capsys.readouterr().out.startswith(said)


def test_without_a_network_it_is_skipped_with_the_reason() -> None:
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    environment = {**os.environ, **nowhere, "NO_PROXY": "", "no_proxy": ""}
    done = subprocess.run([sys.executable, str(SCRIPT)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("audit: skipped: ")
    assert "127.0.0.1" in done.stdout


def test_ci_runs_it() -> None:
    assert "make audit" in (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert "\t$(BIN)/python .ci/audit.py" in (REPOSITORY / "Makefile").read_text(encoding="utf-8").splitlines()
