"""The program as a whole: help that is not cut, its version, completion in a shell."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline_tests.documented import commands

ENGAGE = str(Path(sys.executable).with_name("engage"))


def engage(*arguments: str, **variables: str) -> str:
    environment = {**os.environ, "COLUMNS": "80", "LINES": "24", **variables}
    return subprocess.run([ENGAGE, *arguments], capture_output=True, text=True, check=True, env=environment).stdout


@pytest.mark.parametrize("command", [(), *((name,) for name in commands())], ids=lambda one: "".join(one) or "all")
def test_help_is_whole_in_a_terminal_of_80_columns(command: tuple[str, ...]) -> None:
    shown = engage(*command, "-h")
    assert shown == engage(*command, "--help")
    assert max(map(len, shown.splitlines())) <= 80
    words = " ".join(shown.split())
    told = [one.help.partition(".")[0] for one in commands().values()] if not command else []
    told += [found.help for found in commands()[command[0]].params] if command else []
    for text in told:
        assert " ".join(text.split()).replace("- ", "-") in words.replace("- ", "-")


def test_the_version_is_the_package_s() -> None:
    assert engage("--version") == f"engage_pipeline {version('engage_pipeline')}\n"


def test_completion_installs_and_completes_in_bash(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path), "PATH": f"{Path(ENGAGE).parent}{os.pathsep}{os.environ['PATH']}"}
    environment = {**os.environ, **home}
    # typer asks which shell started it.
    installed = subprocess.run(
        ["bash", "-c", "engage --install-completion; exit $?"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert installed.returncode == 0, installed.stderr
    script = """
        source ~/.bashrc
        for words in "engage reg" "engage run --tar" "engage path interaction_f" "engage status --json --con"; do
            COMP_WORDS=($words); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _engage_completion engage
            echo "${COMPREPLY[*]}"
        done
    """
    shown = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert shown.stdout.splitlines() == ["register-parts", "--target", "interaction_features", "--config"]
    assert "interaction_features" in ARTIFACTS
