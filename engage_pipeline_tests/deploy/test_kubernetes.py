"""What dagster-k8s makes of the chart's values: the pod of a run, and that of a step. No cluster is asked."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._config import process_config, resolve_to_config_type
from dagster_k8s import K8sRunLauncher
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.job import construct_dagster_k8s_job

from engage_pipeline.definitions import build_definitions
from engage_pipeline.orchestration.executors import EXECUTOR_VARIABLE
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline_tests.deploy.test_files import image_environment, snake_case, values

GPU_FOR_ONE_STEP = {
    "max_concurrent": 2,
    "per_step_k8s_config": {
        "pretrained_network": {"container_config": {"resources": {"limits": {"nvidia.com/gpu": "1"}}}}
    },
}


def launcher(folder: Path) -> K8sRunLauncher:
    """The run launcher as the chart's template fills it in; its cluster is an address that is never asked."""
    kubeconfig = folder / "kubeconfig"
    cluster = {"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}
    context = {"name": "none", "context": {"cluster": "none", "user": "none"}}
    everything = {"clusters": [cluster], "users": [{"name": "none", "user": {}}], "contexts": [context]}
    kubeconfig.write_text(yaml.safe_dump({"current-context": "none", **everything}), encoding="utf-8")
    chart = values()
    given: dict[str, Any] = dict(chart["runLauncher"]["config"]["k8sRunLauncher"])
    sections = given.pop("runK8sConfig")
    config = {
        **{snake_case({key: None}).popitem()[0]: value for key, value in given.items()},
        "run_k8s_config": {snake_case({key: None}).popitem()[0]: value for key, value in sections.items()},
        "dagster_home": chart["global"]["dagsterHome"],
        "postgres_password_secret": chart["global"]["postgresqlSecretName"],
        "instance_config_map": "engage-dagster-instance",
        "service_account_name": "engage-dagster",
        "job_namespace": "engage",
        "load_incluster_config": False,
        "kubeconfig_file": str(kubeconfig),
    }
    checked = process_config(resolve_to_config_type(K8sRunLauncher.config_type()), config)
    assert checked.success, checked.errors
    return K8sRunLauncher.from_config_value(None, checked.value)


def pod(made_by: K8sRunLauncher, context: K8sContainerContext) -> tuple[dict[str, Any], dict[str, Any]]:
    """The specification of a pod and of its one container."""
    job = construct_dagster_k8s_job(
        context.get_k8s_job_config("engage-pipeline:0.1.0", made_by), ["dagster"], "run", context.run_k8s_config
    ).to_dict()
    spec = job["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    return spec, container


def a_run() -> dg.DagsterRun:
    return dg.DagsterRun(job_name="train")


def test_the_pod_of_a_run_finds_data_settings_and_instance(tmp_path: Path) -> None:
    made_by = launcher(tmp_path)
    spec, container = pod(made_by, made_by.get_container_context_for_run(a_run()))
    mounted = {mount["mount_path"] for mount in container["volume_mounts"]}
    assert {"/opt/engage/data", "/opt/engage/settings", image_environment()["ENGAGE_COMPUTE_LOGS"]} <= mounted
    values_of = {entry["name"]: entry["value"] for entry in container["env"]}
    assert values_of["DAGSTER_HOME"] == image_environment()["DAGSTER_HOME"]
    assert {mount["name"] for mount in container["volume_mounts"]} <= {volume["name"] for volume in spec["volumes"]}
    assert container["resources"]["limits"] == {"memory": "32Gi"}
    assert spec["security_context"]["run_as_non_root"] is True
    assert container["security_context"]["allow_privilege_escalation"] is False
    secrets = [entry for entry in container["env"] if entry["name"] == "DAGSTER_PG_PASSWORD"]
    assert [entry["value_from"]["secret_key_ref"]["name"] for entry in secrets] == ["engage-postgres"]


def test_the_keys_of_object_stores_are_a_secret_of_runs_and_of_the_code_location(tmp_path: Path) -> None:
    made_by = launcher(tmp_path)
    of_a_step = K8sContainerContext.create_for_run(a_run(), made_by, include_run_tags=False)
    for context in (made_by.get_container_context_for_run(a_run()), of_a_step):
        _, container = pod(made_by, context)
        named = [entry["secret_ref"] for entry in container["env_from"]]
        assert [(one["name"], one["optional"]) for one in named] == [("engage-stores", True)]
    (deployment,) = values()["dagster-user-deployments"]["deployments"]
    assert {"name": "engage-stores", "optional": True} in deployment["envSecrets"]


def test_a_run_may_ask_for_more_by_its_tag(tmp_path: Path) -> None:
    """The tag that README shows."""
    made_by = launcher(tmp_path)
    more = {"container_config": {"resources": {"limits": {"memory": "64Gi", "nvidia.com/gpu": "1"}}}}
    run = dg.DagsterRun(job_name="train", tags={"dagster-k8s/config": json.dumps(more)})
    _, container = pod(made_by, made_by.get_container_context_for_run(run))
    assert container["resources"]["limits"] == {"memory": "64Gi", "nvidia.com/gpu": "1"}


def test_a_pod_for_each_step_is_a_choice_of_the_code_location(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EXECUTOR_VARIABLE, "k8s_job")
    job = build_definitions(Pipeline()).resolve_job_def("train")
    assert job.executor_def.name == "k8s"
    assert dg.validate_run_config(job, {"execution": {"config": GPU_FOR_ONE_STEP}})
    with pytest.raises(dg.DagsterInvalidConfigError):
        dg.validate_run_config(job, {"execution": {"config": {"max_concurrently": 2}}})
