"""The files of deploy/: valid, and saying the same as each other and as the repository's own."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from engage_pipeline.model import compiled_ahead
from engage_pipeline.settings.settings import load_settings
from engage_pipeline_tests.deploy.deployed import DEPLOY, PROGRAMS, compose
from engage_pipeline_tests.worlds import REPOSITORY

OURS = ("migrate", "code", "webserver", "daemon")
INSTRUCTION = re.compile(r"^(?P<name>[A-Z]+) (?P<rest>(?:[^\n]*\\\n)*[^\n]*)$", re.MULTILINE)


def read(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def values() -> dict[str, Any]:
    return read(DEPLOY / "kubernetes" / "values.yaml")


def instructions(name: str) -> list[str]:
    """What follows each instruction `name` of the Dockerfile, in order."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    return [found["rest"] for found in INSTRUCTION.finditer(text) if found["name"] == name]


def image_environment() -> dict[str, str]:
    return dict(re.findall(r"(\w+)=(\S+)", instructions("ENV")[-1]))


def copied() -> list[str]:
    """The paths of the repository that the Dockerfile copies."""
    from_here = [line for line in instructions("COPY") if not line.startswith("--from")]
    return [path for line in from_here for path in line.split()[:-1]]


def variables(node: Any) -> set[str]:
    """The names under `env:` anywhere in `node`."""
    if isinstance(node, dict):
        own = {node["env"]} if isinstance(node.get("env"), str) else set()
        return own.union(*(variables(value) for value in node.values()))
    return set().union(*(variables(value) for value in node)) if isinstance(node, list) else set()


def snake_case(node: Any) -> Any:
    """`node` with the chart's names of keys as Dagster spells them."""
    if isinstance(node, dict):
        return {
            key if key.startswith("apply") else re.sub("([A-Z])", r"_\1", key).lower(): snake_case(value)
            for key, value in node.items()
        }
    return [snake_case(value) for value in node] if isinstance(node, list) else node


def passes(*command: str) -> None:
    done = subprocess.run([str(PROGRAMS / command[0]), *command[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_compose_file_follows_the_compose_specification() -> None:
    passes("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(DEPLOY / "compose.yaml"))


def test_the_dockerfile_has_no_complaint_of_its_linter() -> None:
    passes("hadolint", "--failure-threshold", "style", str(DEPLOY / "Dockerfile"))


def test_the_image_has_the_loops_compiled_before_its_environment_is_copied() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    steps = ["--force-reinstall .", "WORKDIR /\n", f"RUN python -m {compiled_ahead.__name__}\n", "\nFROM ${BASE}\n"]
    assert sorted(steps, key=text.index) == steps


def test_the_team_s_instance_differs_from_the_local_one_in_its_storage_only() -> None:
    local, team = read(REPOSITORY / "dagster.yaml"), read(DEPLOY / "dagster.yaml")
    assert {key: team.get(key) for key in local} == local
    assert team.keys() - local.keys() == {"storage", "compute_logs", "run_launcher"}


def test_the_chart_s_instance_is_the_team_s() -> None:
    team, chart = read(DEPLOY / "dagster.yaml"), values()
    concurrency = snake_case(chart["concurrency"])
    assert concurrency.pop("enabled") is True
    assert concurrency == team["concurrency"]
    retention = snake_case(chart["retention"])
    assert retention.pop("enabled") is True
    assert retention == team["retention"]
    assert snake_case(chart["pythonLogs"]) == team["python_logs"]
    assert chart["telemetry"] == team["telemetry"]
    assert team["run_monitoring"].items() <= snake_case(chart["dagsterDaemon"]["runMonitoring"]).items()
    assert chart["dagsterDaemon"]["runRetries"] == {"enabled": False}
    assert chart["additionalInstanceConfig"] == {key: team[key] for key in ("nux", "run_retries")}
    assert chart["postgresql"]["postgresqlScheme"] == team["storage"]["postgres"]["postgres_db"]["scheme"]
    logs = chart["computeLogManager"]["config"]["customComputeLogManager"]
    assert {key: logs[key] for key in ("module", "class")} == {
        key: team["compute_logs"][key] for key in ("module", "class")
    }
    assert logs["config"]["base_dir"] == image_environment()["ENGAGE_COMPUTE_LOGS"]


def test_every_variable_that_the_files_read_is_set() -> None:
    read_by_files = variables(read(DEPLOY / "dagster.yaml")) | variables(read(DEPLOY / "workspace.yaml"))
    assert len(read_by_files) == 8
    for service in OURS:
        given = compose()["services"][service]["environment"].keys() | image_environment().keys()
        assert read_by_files <= given, service


def test_the_database_is_the_one_that_the_services_ask_for() -> None:
    services = compose()["services"]
    asked, made = services["code"]["environment"], services["postgres"]["environment"]
    for name in ("DB", "USER", "PASSWORD"):
        assert asked[f"ENGAGE_POSTGRES_{name}"] == made[f"POSTGRES_{name}"]
    assert asked["ENGAGE_POSTGRES_HOST"] in services
    assert asked["ENGAGE_CODE_HOST"] in services
    chart = values()["postgresql"]
    assert (chart["postgresqlUsername"], chart["postgresqlDatabase"]) == (made["POSTGRES_USER"], made["POSTGRES_DB"])


def test_keys_of_object_stores_have_a_place_of_their_own_that_git_ignores() -> None:
    services = compose()["services"]
    assert {name: one["env_file"] for name, one in services.items() if "env_file" in one} == {
        "code": [{"path": "stores.env", "required": False}]
    }
    command = ["git", "check-ignore", "deploy/stores.env"]
    assert subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False).returncode == 0


def test_no_file_holds_a_secret() -> None:
    assert compose()["services"]["code"]["environment"]["ENGAGE_POSTGRES_PASSWORD"].startswith("${")
    assert "ENGAGE_POSTGRES_PASSWORD=\n" in (DEPLOY / "env.example").read_text(encoding="utf-8")
    assert values()["postgresql"]["postgresqlPassword"] == ""
    assert values()["generatePostgresqlPasswordSecret"] is False
    ignored = subprocess.run(["git", "check-ignore", "deploy/.env"], cwd=REPOSITORY, capture_output=True, check=False)
    inside = subprocess.run(["git", "rev-parse"], cwd=REPOSITORY, capture_output=True, check=False)
    assert ignored.returncode == 0 or inside.returncode != 0


def test_only_the_ui_is_published_and_only_on_this_machine() -> None:
    published = {name: service["ports"] for name, service in compose()["services"].items() if "ports" in service}
    assert list(published) == ["webserver"]
    assert all(port.startswith("127.0.0.1:") for port in published["webserver"])


def test_processes_have_no_privileges() -> None:
    *_, user = instructions("USER")
    assert user == "${UID}"
    assert "UID=1000" in instructions("ARG")
    for service in OURS:
        assert compose()["services"][service]["cap_drop"] == ["ALL"]
        assert compose()["services"][service]["security_opt"] == ["no-new-privileges:true"]
    chart = values()
    for part in (chart["dagsterWebserver"], chart["dagsterDaemon"], *chart["dagster-user-deployments"]["deployments"]):
        assert part["podSecurityContext"]["runAsNonRoot"] is True
        assert part["podSecurityContext"]["runAsUser"] == 1000
        assert part["securityContext"]["allowPrivilegeEscalation"] is False


def test_every_program_is_in_the_environment() -> None:
    services = compose()["services"]
    commands = [services[name]["command"] for name in OURS]
    commands += [services[name]["healthcheck"]["test"][1:] for name in OURS if "healthcheck" in services[name]]
    commands += [yaml.safe_load(instructions("CMD")[-1])]
    assert len(commands) == 8
    in_shell = [part.split() for words in commands if words[:2] == ["sh", "-c"] for part in words[2].split(" && ")]
    for command in [words for words in commands if words[0] != "sh"] + in_shell:
        assert (PROGRAMS / command[0]).is_file(), command
    assert services["code"]["command"] == yaml.safe_load(instructions("CMD")[-1])


def test_ports_are_the_same_everywhere() -> None:
    exposed = {int(port) for line in instructions("EXPOSE") for port in line.split()}
    services, chart = compose()["services"], values()
    code, ui = (int(services[name]["command"][services[name]["command"].index("--port") + 1]) for name in OURS[1:3])
    assert exposed == {code, ui}
    assert services["webserver"]["ports"][0].endswith(f":{ui}")
    assert services["webserver"]["environment"]["ENGAGE_CODE_PORT"] == str(code)
    (deployed,) = chart["dagster-user-deployments"]["deployments"]
    assert deployed["port"] == code
    assert set(deployed["dagsterApiGrpcArgs"]) <= set(services["code"]["command"])
    assert chart["dagsterWebserver"]["service"]["port"] == ui
    assert chart["dagsterWebserver"]["readinessProbe"]["httpGet"]["port"] == ui


def test_the_settings_name_places_that_are_mounted() -> None:
    environment = image_environment()
    config = PurePosixPath(environment["ENGAGE_CONFIG"])
    folder, options = next(
        (Path(source), options)
        for source, target, *options in (volume.split(":") for volume in compose()["services"]["code"]["volumes"][:1])
        if PurePosixPath(target) == config.parent
    )
    assert options == ["ro"]
    settings = load_settings(DEPLOY / folder / config.name)
    data = "/opt/engage/data"
    mounts = {volume.split(":")[-1] for volume in compose()["services"]["code"]["volumes"][1:]}
    assert mounts == {data, environment["ENGAGE_COMPUTE_LOGS"]}
    for path in (settings.recsys_data, settings.validation_part, settings.test_data, settings.deletions):
        assert path.is_relative_to(data)
    assert settings.working_dir == Path(data)
    assert environment["HF_HOME"].startswith(data)


def test_runs_and_the_code_location_on_kubernetes_mount_what_compose_mounts() -> None:
    chart = values()
    (deployed,) = chart["dagster-user-deployments"]["deployments"]
    launcher = chart["runLauncher"]["config"]["k8sRunLauncher"]
    targets = {"/opt/engage/settings", "/opt/engage/data", image_environment()["ENGAGE_COMPUTE_LOGS"]}
    for part in (deployed, launcher):
        assert {mount["mountPath"] for mount in part["volumeMounts"]} == targets
        assert {mount["name"] for mount in part["volumeMounts"]} == {volume["name"] for volume in part["volumes"]}
    claims = {
        volume["persistentVolumeClaim"]["claimName"] for volume in launcher["volumes"] if "configMap" not in volume
    }
    assert claims == {read(DEPLOY / "kubernetes" / "storage.yaml")["metadata"]["name"]}
    # Else a run gets the small resources of the code location.
    assert deployed["includeConfigInLaunchedRuns"] == {"enabled": False}
    assert chart["global"]["dagsterHome"] == image_environment()["DAGSTER_HOME"]


def test_the_chart_s_image_is_this_version() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    chart = values()
    for part in (chart["dagsterWebserver"], chart["dagsterDaemon"], *chart["dagster-user-deployments"]["deployments"]):
        assert part["image"]["tag"] == project["version"]
    assert {re.split("[<>=]", name)[0] for name in project["optional-dependencies"]["deploy"]} == {
        "dagster-k8s",
        "dagster-postgres",
    }


def test_what_the_dockerfile_copies_is_sent_to_the_build() -> None:
    lines = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    assert patterns[0] == "*"
    admitted = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    assert sorted(admitted) == sorted(set(copied()))
    for path in copied():
        assert (REPOSITORY / path).exists(), path
        assert not any(fnmatch(path, pattern) for pattern in patterns[1:] if not pattern.startswith("!"))


@pytest.mark.long
def test_the_package_of_the_image_has_every_file_of_the_code(tmp_path: Path) -> None:
    source = tmp_path / "build"
    for path in ("pyproject.toml", "README.md"):
        source.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / path, source)
    shutil.copytree(
        REPOSITORY / "engage_pipeline", source / "engage_pipeline", ignore=shutil.ignore_patterns("__pycache__")
    )
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", str(tmp_path), str(source)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    code = {
        str(path.relative_to(REPOSITORY))
        for path in (REPOSITORY / "engage_pipeline").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert code - packed == set()
