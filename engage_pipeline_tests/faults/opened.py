"""Which files a program opens or changes, seen by the kernel (strace) or by Python's audit events."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND")
CHANGING = ("mkdir", "rename", "unlink", "rmdir", "link", "symlink", "truncate", "chmod", "chown", "mknod")
_CALL = re.compile(r"^\d+ +(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)")
_TEXT = re.compile(r'(?:AT_FDCWD|\d+)?(?:<(?P<folder>[^>]*)>, )?"(?P<path>(?:[^"\\]|\\.)*)"')
_EVENTS = ("open", "os.", "shutil.", "glob.", "tempfile.")


@dataclass
class Opened:
    """Paths that were read and paths that were written, made, moved or removed."""

    read: set[Path] = field(default_factory=set)
    changed: set[Path] = field(default_factory=set)


def can_trace() -> bool:
    """Whether strace is there and may be used."""
    program = shutil.which("strace")
    return program is not None and subprocess.run([program, "-o", "/dev/null", "true"], check=False).returncode == 0


def trace(command: Sequence[str], log: Path, *, cwd: Path, env: Mapping[str, str]) -> tuple[str, Opened]:
    """Runs the command; its standard output, and what it and its children opened with success."""
    tracer = ["strace", "-f", "-y", "-s", "4096", "-e", "trace=file", "-e", "signal=none", "-o", str(log)]
    done = subprocess.run([*tracer, *command], cwd=cwd, env=dict(env), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, _parsed(log.read_text(encoding="utf-8", errors="surrogateescape").splitlines(), cwd)


def _parsed(lines: Sequence[str], cwd: Path) -> Opened:
    opened = Opened()
    for line in lines:
        call = _CALL.match(line)
        if call is None or int(call["result"]) < 0:
            continue
        paths = {_absolute(found, cwd) for found in _TEXT.finditer(call["arguments"])}
        if call["name"].startswith("open"):
            (opened.changed if WRITING.search(call["arguments"]) else opened.read).update(paths)
        elif call["name"].startswith(CHANGING):
            opened.changed.update(paths)
    return opened


def _absolute(found: re.Match[str], cwd: Path) -> Path:
    text = found["path"].encode("latin-1", "surrogateescape").decode("unicode_escape")
    return Path(os.path.normpath(Path(found["folder"] or cwd) / text))


_recorded: list[list[str]] = []


def _record(event: str, arguments: tuple[object, ...]) -> None:
    if _recorded and event.startswith(_EVENTS):
        _recorded[-1] += [f"{event} {argument}" for argument in arguments[:2] if isinstance(argument, str | Path)]


sys.addaudithook(_record)


@contextmanager
def audited() -> Iterator[list[str]]:
    """The audit events about files of the block, as `event path`."""
    _recorded.append([])
    try:
        yield _recorded[-1]
    finally:
        _recorded.pop()
