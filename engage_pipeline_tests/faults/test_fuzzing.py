"""A share of the fuzzing campaigns: random bytes in parts, settings, results.csv and manifests; no lost line."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engage_pipeline_tests.fuzzing.manifests import fuzz_manifests
from engage_pipeline_tests.fuzzing.parts import check_part, fuzz_parts, mutated_part
from engage_pipeline_tests.fuzzing.results_files import check_results, fuzz_results, write_labels
from engage_pipeline_tests.fuzzing.settings_files import VALID, check_settings, fuzz_settings
from engage_pipeline_tests.fuzzing.splices import Splice, spliced, splices

pytestmark = pytest.mark.long
MUTATED_LINES = 12_000
FILES = 200
few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@few
@given(edits=st.lists(st.one_of(st.just([]), splices()), min_size=2, max_size=30), labelled=st.booleans())
def test_bytes_spliced_into_parts(tmp_path: Path, edits: list[list[Splice]], labelled: bool) -> None:
    check_part(tmp_path, mutated_part(range(len(edits)), edits, labelled=labelled), labelled=labelled)


def test_many_mutated_lines(tmp_path: Path) -> None:
    total = fuzz_parts(tmp_path, MUTATED_LINES, seed=1)
    assert total["mutated lines"] == MUTATED_LINES
    assert total["good"] + total["rejected"] + total["blank"] == total["lines"]
    kinds = {"columns", "encoding", "NUL", "carriage return", "line end", "text_tokens", "like_timestamp"}
    assert min(total[f"rejected: {kind}"] for kind in kinds) > 0
    assert total["good"] > MUTATED_LINES / 10


@few
@given(edit=splices())
def test_bytes_spliced_into_settings(tmp_path: Path, edit: list[Splice]) -> None:
    check_settings(tmp_path, spliced(VALID, edit))


def test_many_mutated_settings(tmp_path: Path) -> None:
    found = fuzz_settings(tmp_path, FILES, seed=1)
    assert found.total() == FILES
    assert min(found["read"], found["refused"]) > FILES / 20


@few
@given(edit=splices())
def test_bytes_spliced_into_results(tmp_path: Path, edit: list[Splice]) -> None:
    check_results(tmp_path, spliced(write_labels(tmp_path), edit))


def test_many_mutated_results(tmp_path: Path) -> None:
    found = fuzz_results(tmp_path, FILES, seed=1)
    assert found.total() == FILES
    assert min(found["scored"], found["refused"]) > FILES / 20


def test_many_mutated_manifests(tmp_path: Path) -> None:
    said = fuzz_manifests(tmp_path, FILES, seed=1)
    assert said.total() == 10 * FILES
    assert min(said["answered"], said["refused"]) > FILES


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="the extra `fuzz` is not installed")
def test_the_guided_campaign_runs() -> None:
    command = [sys.executable, "-m", "engage_pipeline_tests.fuzzing.guided", "-runs=150", "-seed=1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Done 150 runs" in done.stderr
