"""What is said of a full disk."""

import errno
import os
from pathlib import Path

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.machine.full_disk import free_bytes, told_when_exhausted
from engage_pipeline_tests.samples import tiny_settings

LARGE = 10**15
"""More bytes than any disk has, in PB."""


@pytest.mark.parametrize("needed", [541_100, LARGE])
def test_more_is_named_than_what_was_free_and_did_not_suffice(tmp_path: Path, needed: int) -> None:
    settings = tiny_settings(tmp_path)
    with (
        pytest.raises(UserError) as raised,
        told_when_exhausted("finetuned_encoder", [tmp_path], lambda: needed, settings),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    said = str(raised.value).partition("needs about ")[2].split()
    units = {"GB": 1_000_000_000, "MB": 1_000_000, "KB": 1_000}
    named = float(said[0]) * units[said[1]]
    assert named == LARGE if needed == LARGE else named > free_bytes(tmp_path)
