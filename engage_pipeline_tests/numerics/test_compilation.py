"""Where compiled code is kept, and when it is taken: functions of a package that each test writes anew."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engage_pipeline_tests.worlds import REPOSITORY

INNER = """
import numpy as np
from numba.extending import intrinsic
from engage_pipeline.numerics.compilation import compiled_within, trailing_zeros
STEP = 1
NONE = b""
def none(context, kind):
    return context.get_constant(kind, 0)
@intrinsic
def nothing(context, kind):
    def code(context, builder, signature, arguments):
        return none(context, kind)
    return kind(kind), code
@compiled_within()
def step(x):
    return x + STEP + len(NONE) + np.int64(trailing_zeros(np.uint64(1))) + nothing(x)
"""
OUTER = """
from engage_pipeline.numerics.compilation import compiled
from engage_pipeline_own import inner
@compiled()
def steps(x):
    return inner.step(x) + inner.step(x)
"""
DYING = """
import os
replace = os.replace
os.replace = lambda old, new: os._exit(9) if new.endswith(".nbc") else replace(old, new)
"""
"""A process that is killed when it has compiled, before the code has its name."""
CALL = """
import logging; logging.basicConfig(format="%(message)s")
from engage_pipeline_own.outer import steps
print(steps(1), sum(steps.stats.cache_hits.values()))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "site" / "engage_pipeline_own"
    folder.mkdir(parents=True)
    for name, text in {"__init__": "", "inner": INNER, "outer": OUTER}.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def call(package: Path, home: str = "/nowhere", **variables: str) -> tuple[str, str]:
    """What `steps(1)` is and how often it was found compiled, and what is warned of."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA", "XDG"))}
    path = f"{package.parent}:{REPOSITORY}"
    environment |= {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "HOME": home, **variables}
    done = subprocess.run([sys.executable, "-c", CALL], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip(), done.stderr


def block(folder: Path) -> None:
    """Makes that nobody, not even root, can write into `folder`."""
    folder.write_text("a file")


def kept(folder: Path) -> set[str]:
    return {path.suffix for path in folder.rglob("*") if path.suffix.startswith(".nb")}


def test_the_next_process_finds_it_beside_the_source(package: Path) -> None:
    assert call(package) == ("4 0", "")
    assert kept(package / "__pycache__") == {".nbc"}
    assert call(package) == ("4 1", "")


def test_it_is_found_where_nothing_can_be_written(package: Path) -> None:
    call(package)
    compiled = {path: path.stat().st_mtime_ns for path in (package / "__pycache__").iterdir()}
    read_only = ["unshare", "--mount", "sh", "-c", 'mount --bind -o ro "$0" "$0" && exec "$@"']
    probe = subprocess.run([*read_only, str(package), "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("needs a mount namespace")
    environment = {**os.environ, "PYTHONPATH": f"{package.parent}:{REPOSITORY}", "HOME": "/dev/null"}
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        environment.pop(name, None)
    command = [*read_only, str(package), sys.executable, "-c", CALL]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("4 1", "")
    assert {path: path.stat().st_mtime_ns for path in compiled} == compiled


def test_it_is_kept_in_the_users_cache_folder_where_the_source_is_read_only(package: Path, tmp_path: Path) -> None:
    block(package / "__pycache__")
    for hits in (0, 1):
        assert call(package, str(tmp_path)) == (f"4 {hits}", "")
    assert kept(tmp_path / ".cache" / "engage_pipeline") == {".nbc"}


@pytest.mark.parametrize("home", ["/dev/null", "nowhere"])
def test_without_a_writable_place_each_process_compiles_and_says_so_once(package: Path, home: str) -> None:
    block(package / "__pycache__")
    (package / "outer.py").write_text(OUTER + "print(steps(0.5))\n")
    for _ in range(2):
        found, warning = call(package, home)
        assert found.split() == ["3.0", "4", "0"]
        assert warning.count("\n") == 1
        assert "compiled code is not kept" in warning


def test_another_folder_may_be_named(package: Path, tmp_path: Path) -> None:
    for hits in (0, 1):
        assert call(package, NUMBA_CACHE_DIR=str(tmp_path / "named"))[0] == f"4 {hits}"
    assert kept(tmp_path / "named") == {".nbc"}
    assert not (package / "__pycache__").exists()


@pytest.mark.parametrize(
    ("old", "new", "result"),
    [
        ("STEP = 1", "STEP = 2", "6 0"),
        ("x + STEP", "x - STEP", "0 0"),
        ('NONE = b""', 'NONE = b"ab"', "8 0"),
        ("kind, 0", "kind, 1", "6 0"),
    ],
)
def test_code_is_compiled_anew_when_what_it_calls_changes(package: Path, old: str, new: str, result: str) -> None:
    """numba's own cache of a function knows the function's file alone."""
    call(package)
    (package / "inner.py").write_text(INNER.replace(old, new))
    assert call(package)[0] == result


def test_a_remark_is_no_change(package: Path) -> None:
    call(package)
    (package / "inner.py").write_text(INNER + "# a remark\n")
    assert call(package)[0] == "4 1"


def test_a_process_that_is_killed_while_it_keeps_code_leaves_no_old_code_for_new(package: Path) -> None:
    call(package)
    (package / "inner.py").write_text(INNER.replace("STEP = 1", "STEP = 2"))
    (package / "__init__.py").write_text(DYING)
    with pytest.raises(subprocess.CalledProcessError, match="exit status 9"):
        call(package)
    (package / "__init__.py").write_text("")
    assert call(package)[0] == "6 0"


def test_two_processes_at_once_never_give_a_signature_the_code_of_another(package: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    call(package, NUMBA_CACHE_DIR=str(one))
    (package / "outer.py").write_text(OUTER + "print(steps(0.5))\n")
    call(package, NUMBA_CACHE_DIR=str(other))
    shutil.copytree(other, tmp_path / "both")
    for code in one.rglob("*.nbc"):  # what one writes last
        shutil.copy(code, tmp_path / "both" / code.relative_to(one))
    assert call(package, NUMBA_CACHE_DIR=str(tmp_path / "both")) == ("3.0\n4 2", "")


@pytest.mark.parametrize(
    "damaged", [lambda code: code[:-1] + bytes([code[-1] ^ 1]), lambda code: code[:40], lambda _: b""]
)
def test_damaged_code_is_compiled_anew(package: Path, damaged: Callable[[bytes], bytes]) -> None:
    call(package)
    (code,) = (package / "__pycache__").glob("outer.steps*.nbc")
    code.write_bytes(damaged(code.read_bytes()))
    assert call(package) == ("4 0", "")
    assert call(package) == ("4 1", "")
