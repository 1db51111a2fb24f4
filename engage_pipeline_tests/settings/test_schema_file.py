"""The JSON schema of config.yaml is current, and a validator that editors use holds files to it."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from engage_pipeline.settings.schema_file import settings_schema
from engage_pipeline.settings.settings import PRESETS
from engage_pipeline_tests.worlds import REPOSITORY, TINY

SCHEMA = REPOSITORY / "docs" / "config.schema.json"
VALIDATOR = str(Path(sys.executable).with_name("check-jsonschema"))


def validated(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([VALIDATOR, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_the_file_in_docs_is_current() -> None:
    again = "docs/config.schema.json: write it anew with `engage settings --schema > docs/config.schema.json`"
    assert SCHEMA.read_text(encoding="utf-8").rstrip() == settings_schema().rstrip(), again


def test_it_is_a_schema() -> None:
    assert validated("--check-metaschema", SCHEMA).returncode == 0


def test_files_that_load_are_valid(tmp_path: Path) -> None:
    paths = [REPOSITORY / "config.yaml"]
    for name, values in {**PRESETS, "tiny": TINY}.items():
        paths.append(tmp_path / f"{name}.yaml")
        paths[-1].write_text(yaml.safe_dump(values), encoding="utf-8")
    done = validated("--schemafile", SCHEMA, *paths)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("sketch_widht: 3\n", "sketch_widht"),
        ("network: {hidden_size: many}\n", "network.hidden_size"),
        ("preset: best\n", "preset"),
        ("validation_percentage: 2\n", "validation_percentage"),
    ],
)
def test_mistakes_are_found(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    done = validated("--schemafile", SCHEMA, path)
    assert done.returncode == 1
    assert named in done.stdout


def test_the_deployment_s_file_names_it() -> None:
    first = (REPOSITORY / "config.yaml").read_text(encoding="utf-8").partition("\n")[0]
    assert first == "# yaml-language-server: $schema=docs/config.schema.json"
