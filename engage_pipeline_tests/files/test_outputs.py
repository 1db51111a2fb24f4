"""An output that would replace an input, or a published file, and a standard output that is not there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.files.outputs import Output, find_output
from engage_pipeline.locations.location import location


def test_a_file_is_an_input_under_any_of_its_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part, other = tmp_path / "part", tmp_path / "other"
    part.write_bytes(b"rows")
    (tmp_path / "link").symlink_to("part")
    (tmp_path / "outer").symlink_to(tmp_path / "link")
    monkeypatch.chdir(tmp_path)
    for output in (part, Path("part"), tmp_path / "link", tmp_path / "outer"):
        for given in (part, tmp_path / "link"):
            with pytest.raises(UserError) as caught:
                find_output(output).refuse_among([other, given])
            assert str(caught.value) == f"{output}: is an input; give another output"
    find_output(other).refuse_among([part])
    other.write_bytes(b"rows")
    find_output(other).refuse_among([part, tmp_path / "nowhere"])


def test_objects_are_the_same_if_they_have_the_same_address() -> None:
    output = Output(*[location("s3://bucket/part?region=x")] * 2)
    with pytest.raises(UserError, match=r"^s3://bucket/part: is an input"):
        output.refuse_among([Path("part"), location("s3://user:word@bucket/part")])
    output.refuse_among([location("s3://bucket/part-2"), Path("part")])


def test_a_stream_is_an_input_if_the_shell_leads_it_there(tmp_path: Path) -> None:
    """`>> part`; a terminal may be both."""
    part = tmp_path / "part"
    part.write_bytes(b"rows")
    code = (
        "from pathlib import Path; import sys\n"
        "from engage_pipeline.files.outputs import find_output\n"
        "find_output(Path('-')).refuse_among([Path(one) for one in sys.argv[1:]])"
    )
    command = [sys.executable, "-c", code]
    with part.open("ab") as file:
        same = subprocess.run([*command, str(part)], stdout=file, stderr=subprocess.PIPE, text=True, check=False)
    assert "UserError: -: is an input" in same.stderr
    reading, writing = os.pipe()
    subprocess.run([*command, "/dev/stdin", str(part)], stdin=reading, stdout=writing, check=True)
    for end in (reading, writing):
        os.close(end)


def test_the_folders_of_published_artifacts_are_left_alone(tmp_path: Path) -> None:
    store, latest = tmp_path / "data" / "submission", tmp_path / "data" / "latest"
    (store / "version").mkdir(parents=True)
    latest.mkdir()
    (store / "version" / "results.csv").write_bytes(b"published")
    (latest / "results.csv").symlink_to("../submission/version/results.csv")
    (tmp_path / "store").symlink_to(store)
    for output in (latest / "results.csv", store / "new", tmp_path / "store" / "new"):
        with pytest.raises(UserError) as caught:
            find_output(output).refuse_among([], [tmp_path / "data" / "model", tmp_path / "store"])
        assert str(caught.value) == f"{output}: leads into the published artifacts; give another output"
    find_output(latest / "other.csv").refuse_among([], [store])


def test_a_standard_output_that_is_closed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(UserError, match=r"^standard output is closed$"):
        find_output(Path("-"))
    device = tmp_path / "device"
    device.symlink_to("/dev/null")
    find_output(device).write_text("nothing of it is needed")


def test_a_loop_of_links_is_an_error_naming_the_output(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for output in (tmp_path / "loop", tmp_path / "loop" / "x", tmp_path / "loop" / "x" / "y"):
        with pytest.raises(UserError) as caught:
            find_output(output)
        assert str(caught.value).startswith(f"{output}: ")
