import gzip
import shutil
import subprocess
from pathlib import Path

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.ingest.parsing.streams import open_part

CONTENT = b"".join(b"%d\x01some text that compresses\n" % number for number in range(100_000))
needs_lzop = pytest.mark.skipif(shutil.which("lzop") is None, reason="Debian's lzop is not installed")
needs_zstd = pytest.mark.skipif(shutil.which("zstd") is None, reason="the zstd command is not installed")
ENDINGS = [".gz", pytest.param(".zst", marks=needs_zstd), pytest.param(".lzo", marks=needs_lzop)]


def compressed(content: bytes, ending: str) -> bytes:
    if ending == ".gz":
        return gzip.compress(content)
    command = {".zst": ["zstd", "-qc"], ".lzo": ["lzop", "-c"]}[ending]
    return subprocess.run(command, input=content, capture_output=True, check=True).stdout


def read_all(path: Path) -> bytes:
    with open_part(path) as stream:
        return b"".join(iter(lambda: stream.read(100_000), b""))


def written(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def test_a_plain_part_is_itself(tmp_path: Path) -> None:
    path = written(tmp_path, "part-00000", CONTENT)
    assert read_all(path) == CONTENT
    with open_part(path) as stream:
        assert not stream.compressed


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_compressed_part_is_decompressed(tmp_path: Path, ending: str) -> None:
    path = written(tmp_path, "part-00000" + ending, compressed(CONTENT, ending))
    assert read_all(path) == CONTENT
    with open_part(path) as stream:
        assert stream.compressed


@pytest.mark.parametrize("ending", [".gz", pytest.param(".zst", marks=needs_zstd)])
def test_archives_of_several_members_are_read_to_their_end(tmp_path: Path, ending: str) -> None:
    path = written(tmp_path, "part-00000" + ending, compressed(CONTENT, ending) + compressed(b"more\n", ending))
    assert read_all(path) == CONTENT + b"more\n"


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("share", [0.001, 0.3, 0.9999])
def test_a_cut_off_archive_is_an_error_naming_it(tmp_path: Path, ending: str, share: float) -> None:
    whole = compressed(CONTENT, ending)
    path = written(tmp_path, "part-00000" + ending, whole[: max(int(len(whole) * share), 3)])
    with pytest.raises(UserError, match=rf"part-00000\{ending}: damaged or truncated archive"):
        read_all(path)


@pytest.mark.parametrize("ending", [".gz", pytest.param(".lzo", marks=needs_lzop)])
def test_a_changed_byte_in_an_archive_is_an_error(tmp_path: Path, ending: str) -> None:
    damaged = bytearray(compressed(CONTENT, ending))
    damaged[len(damaged) // 2] ^= 0x10
    with pytest.raises(UserError, match="damaged or truncated archive"):
        read_all(written(tmp_path, "part-00000" + ending, bytes(damaged)))


@pytest.mark.parametrize("ending", ENDINGS)
def test_text_called_an_archive_is_an_error(tmp_path: Path, ending: str) -> None:
    with pytest.raises(UserError, match="damaged or truncated archive"):
        read_all(written(tmp_path, "part-00000" + ending, CONTENT))


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_archive_called_text_is_an_error_that_names_its_kind(tmp_path: Path, ending: str) -> None:
    name = {".gz": "gzip", ".zst": "zstd", ".lzo": "lzop"}[ending]
    with pytest.raises(UserError, match=f"part-00000: is {name}, not text"):
        read_all(written(tmp_path, "part-00000", compressed(CONTENT, ending)))


def test_without_lzop_the_error_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"part-00000\.lzo: .* install Debian's package lzop"):
        read_all(written(tmp_path, "part-00000.lzo", b"\x89LZO\x00\r\n\x1a\n"))


def test_empty_and_missing_files_are_errors_naming_them(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="part-00000: the file is empty"):
        read_all(written(tmp_path, "part-00000", b""))
    with pytest.raises(UserError, match="part-00001: No such file"):
        read_all(tmp_path / "part-00001")


@needs_lzop
def test_lzop_does_not_outlive_a_reader_that_stops_early(tmp_path: Path) -> None:
    path = written(tmp_path, "part-00000.lzo", compressed(CONTENT * 3, ".lzo"))
    with open_part(path) as stream:
        stream.read(10)
        process = stream.source._process  # type: ignore[attr-defined]
        assert process.poll() is None
    assert process.poll() is not None
