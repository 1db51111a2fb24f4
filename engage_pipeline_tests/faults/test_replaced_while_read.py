"""A raw part that is replaced, rewritten or removed while it is read: one line, nothing published, and a retry works.

The moment is sure: a program in the place of lzop changes the part while the pipeline waits for its output.
"""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.files.atomic import sha256
from engage_pipeline_tests import worlds
from engage_pipeline_tests.faults.raw import ingest, manifest_of, part_of
from engage_pipeline_tests.ingest.test_part_ingest import GOOD, line_of
from engage_pipeline_tests.ingest.test_part_ingest import ingest as read

LZOP = shutil.which("lzop")
CHANGES = {
    "replaced at the start": 'mv "{new}" "{part}"\nexec {lzop} "$@"\n',
    "rewritten at the end": '{lzop} "$@"\nstatus=$?\ncat "{new}" > "{part}"\nexit $status\n',
    "touched": '{lzop} "$@"\nstatus=$?\ntouch -d 2001-01-01 "{part}"\nexit $status\n',
    "removed": 'rm "{part}"\nexec {lzop} "$@"\n',
    "cut off": ': > "{part}"\nexec {lzop} "$@"\n',
}


def packed(content: bytes) -> bytes:
    return subprocess.run([str(LZOP), "-c"], input=content, capture_output=True, check=True).stdout


@pytest.mark.long
@pytest.mark.skipif(LZOP is None, reason="lzop is not installed")
@pytest.mark.parametrize("change", CHANGES)
def test_nothing_is_published_of_a_part_that_changes(
    ingested: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    before = manifest_of(ingested)
    lines = part_of(ingested).read_bytes().splitlines(keepends=True)
    part_of(ingested).unlink()
    part, new = part_of(ingested, "part-00001.lzo"), tmp_path / "new.lzo"
    # some lines that can't be read, at other places in the new file
    bad = line_of(like_timestamp=b"soon") + b"\n"
    part.write_bytes(packed(b"".join([*lines[:500], bad, *lines[500:900]])))
    new.write_bytes(packed(b"".join([bad, *lines[100:400]])))
    program = tmp_path / "bin" / "lzop"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n" + CHANGES[change].format(new=new, part=part, lzop=LZOP), encoding="utf-8")
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"

    with monkeypatch.context() as patched:
        patched.setenv("PATH", path)
        with pytest.raises(UserError, match=r"part-00001\.lzo: replaced or changed while it was read; nothing of"):
            ingest(ingested)
    assert manifest_of(ingested) == before
    assert not list(worlds.store_of(ingested).folder("tweet_parts", "part-00001").glob(".tmp-*"))

    new.write_bytes(packed(b"".join(lines[100:400])))
    new.replace(part)
    ingest(ingested)
    assert (manifest_of(ingested).rows, manifest_of(ingested).sources[0].sha256) == (300, sha256(part))


@pytest.mark.parametrize("shorter", [True, False])
def test_rejects_of_a_part_that_changes_are_of_no_other_file(tmp_path: Path, shorter: bool) -> None:
    bad = line_of(like_timestamp=b"soon")
    part = tmp_path / "part-00000"
    part.write_bytes(b"\n".join([GOOD, bad, GOOD]) + b"\n")

    def places(lines: int) -> np.ndarray:
        part.write_bytes(GOOD + b"\n" if shorter else b"\n".join([bad, GOOD, b"another file's line"]) + b"\n")
        return np.zeros(lines, np.int32)

    with pytest.raises(UserError, match="part-00000: replaced or changed while it was read") as raised:
        read(tmp_path, part, split=places, ingest={"max_rejected_share": 0.5})
    assert "another file" not in str(raised.value)
    _, tweets, rejects = read(tmp_path, part, ingest={"max_rejected_share": 0.9})
    assert (len(tweets), len(rejects)) == (1, 0 if shorter else 2)
