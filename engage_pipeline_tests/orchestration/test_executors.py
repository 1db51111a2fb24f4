import os
import subprocess
import sys

import dagster as dg
import pytest

from engage_pipeline.definitions import build_definitions
from engage_pipeline.errors import UserError
from engage_pipeline.orchestration.automation.jobs import JOBS
from engage_pipeline.orchestration.executors import EXECUTOR_VARIABLE
from engage_pipeline.orchestration.resources import Pipeline


@pytest.mark.parametrize(
    ("value", "name"), [(None, "in_process"), ("", "in_process"), ("multiprocess", "multiprocess"), ("k8s_job", "k8s")]
)
def test_every_job_of_assets_has_the_chosen_executor(
    monkeypatch: pytest.MonkeyPatch, value: str | None, name: str
) -> None:
    if value is None:
        monkeypatch.delenv(EXECUTOR_VARIABLE, raising=False)
    else:
        monkeypatch.setenv(EXECUTOR_VARIABLE, value)
    definitions = build_definitions(Pipeline())
    dg.Definitions.validate_loadable(definitions)
    jobs = {definitions.resolve_job_def(job.name) for job in JOBS}
    jobs.add(definitions.resolve_implicit_global_asset_job_def())
    chosen = {job.name for job in jobs if job.executor_def.name == name}
    assert chosen >= {"ingest_parts", "train", "submit", "__ASSET_JOB"}
    # These plan for themselves: one step, which starts runs in its own process.
    assert {job.name for job in jobs} - chosen <= {"refresh_features", "everything", "retrain", "forget"}


def test_another_name_is_refused_with_the_ones_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EXECUTOR_VARIABLE, "celery")
    with pytest.raises(UserError, match=r"^ENGAGE_EXECUTOR=celery: not one of in_process, multiprocess, k8s_job$"):
        build_definitions(Pipeline())


def test_without_the_package_the_code_location_says_so() -> None:
    code = "import sys; sys.modules['dagster_k8s'] = None; import engage_pipeline.definitions"
    environment = {**os.environ, EXECUTOR_VARIABLE: "k8s_job"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "ENGAGE_EXECUTOR=k8s_job: dagster-k8s is not installed" in done.stderr
