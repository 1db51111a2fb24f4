"""Programs of the system that some tests call: a machine without them skips these tests, and CI has them all."""

import shutil

import pytest


def require_program(*names: str) -> None:
    """Skips the test that calls this where one of the programs is not installed."""
    if missing := [name for name in names if shutil.which(name) is None]:
        pytest.skip(f"{' and '.join(missing)} not installed")
