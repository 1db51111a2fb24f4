"""What Dagster loads: light, complete, and the same graph as the catalogue's."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import dagster as dg
import pytest
import yaml

from engage_pipeline.catalogue import ARTIFACTS, shown_version
from engage_pipeline.definitions import build_definitions, defs
from engage_pipeline.orchestration.graph import known_settings
from engage_pipeline.orchestration.launching import LOCATION, MODULE
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline_tests import worlds

REPOSITORY = Path(__file__).parents[1]
HEAVY = ("torch", "transformers", "lightgbm", "accelerate", "sklearn", "scipy", "pandas")


def test_loading_the_definitions_imports_nothing_heavy() -> None:
    code = "import sys, engage_pipeline.definitions; print([name for name in sys.argv[1:] if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code, *HEAVY], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_help_of_the_command_imports_neither_dagster_nor_torch() -> None:
    names = "('dagster', 'torch', 'duckdb')"
    code = f"import sys, engage_pipeline.commands.app; print([n for n in {names} if n in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize("category", ["DeprecationWarning", "PendingDeprecationWarning", "FutureWarning"])
def test_loading_the_definitions_uses_nothing_deprecated(category: str) -> None:
    code = (
        f"import warnings; warnings.simplefilter('error', {category}); import dagster as dg; "
        "[warnings.simplefilter('error', one) for one in (dg.SupersessionWarning, dg.BetaWarning, dg.PreviewWarning)]; "
        "from engage_pipeline.definitions import defs; defs.get_repository_def()"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert loaded.returncode == 0, loaded.stderr


def test_owners_are_those_of_the_settings(tmp_path: Path) -> None:
    owners = ["ada@example.com", "team:engagement"]
    config = worlds.write_config(tmp_path, owners=owners)
    found = build_definitions(Pipeline(config=str(config))).resolve_all_asset_specs()
    assert [spec.owners for spec in found] == [owners] * len(ARTIFACTS)


def test_dg_finds_the_definitions() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["dg"]
    assert project["directory_type"] == "project"
    assert project["project"] == {
        "root_module": "engage_pipeline",
        "code_location_name": LOCATION,
        "code_location_target_module": MODULE,
    }


def specs() -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}


def test_the_assets_are_the_catalogue() -> None:
    found = specs()
    assert found.keys() == ARTIFACTS.keys()
    for name, artifact in ARTIFACTS.items():
        spec = found[name]
        assert {dep.asset_key.to_user_string() for dep in spec.deps} == set(artifact.inputs), name
        assert spec.group_name == artifact.stage.value
        assert spec.code_version == shown_version(name, known_settings(Pipeline()))
        assert spec.description
        assert spec.owners == []
        assert spec.kinds
        assert (spec.partitions_def is not None) == artifact.partitioned


def test_tables_show_their_columns() -> None:
    for name in ("tweet_parts", "validation_tweets", "test_tweets", "interaction_features", "test_features"):
        assert "dagster/column_schema" in specs()[name].metadata, name


def test_jobs_and_checks() -> None:
    jobs = {job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")}
    assert jobs == {"ingest_parts", "refresh_features", "train", "submit", "everything", "retrain", "forget"}
    for job in jobs:
        assert defs.resolve_job_def(job)
    repository = defs.get_repository_def()
    acting = [*repository.sensor_defs, *repository.schedule_defs]
    assert {one.name: one.default_status.value for one in acting} == dict.fromkeys(
        ("new_parts", "dead_runs", "nightly"), "RUNNING"
    )
    checked = {key.asset_key.to_user_string() for key in defs.resolve_asset_graph().asset_check_keys}
    assert checked >= {"tweet_parts", "interaction_counts", "interaction_features", "submission"}


def test_the_workspace_file_loads(tmp_path: Path) -> None:
    workspace = yaml.safe_load((REPOSITORY / "workspace.yaml").read_text(encoding="utf-8"))
    assert workspace["load_from"][0]["python_module"]["module_name"] == "engage_pipeline.definitions"
    environment = {**os.environ, "DAGSTER_HOME": str(tmp_path)}
    command = [str(Path(sys.executable).with_name("dagster")), "definitions", "validate", "-w", "workspace.yaml"]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", ["dagster.yaml"])
def test_the_instance_file_is_valid(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_text((REPOSITORY / file).read_text(encoding="utf-8"), encoding="utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert "engage_pipeline" in instance.managed_python_loggers
