"""The architectures that the setting names are those that there are, and no other module knows one of them."""

import ast

import pytest

from engage_pipeline.model.network.architectures import ARCHITECTURES, new_network
from engage_pipeline.model.network.network_config import NetworkConfig
from engage_pipeline.settings.settings import PRESETS, settings_from
from engage_pipeline_tests.model.network import network_samples
from engage_pipeline_tests.worlds import REPOSITORY

PACKAGE = REPOSITORY / "engage_pipeline"


def test_the_setting_names_them_all() -> None:
    assert tuple(ARCHITECTURES) == network_samples.ARCHITECTURES


def test_the_reference_alone_has_the_residual_network() -> None:
    chosen = {name: settings_from({"preset": name}, folder=REPOSITORY).network.architecture for name in PRESETS}
    assert chosen == {"default": "deep_fm", "synerise": "residual", "demo": "deep_fm"}
    assert NetworkConfig.architecture == "residual"  # of files that don't name one


def test_an_unknown_one_is_an_error() -> None:
    config = NetworkConfig(("en",), 2, 16, 8, 4, architecture="later")
    with pytest.raises(ValueError, match=f"^architecture 'later' is not one of {', '.join(ARCHITECTURES)}$"):
        new_network(config)


def test_only_the_list_of_architectures_imports_one() -> None:
    modules = set(ARCHITECTURES)
    assert all((PACKAGE / "model" / "network" / f"{name}.py").is_file() for name in modules)
    importing = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            if module and module.removeprefix("engage_pipeline.model.network.") in modules:
                importing.add(path.relative_to(PACKAGE).as_posix())
    assert importing == {"model/network/architectures.py"}
