"""The mark of a version that failed a blocking check: it is not opened, and is made again.

    distrusted.json      the folder of the version, and why; it means nothing once another version is published

A mark that can't be read counts against whatever version is there, because it may be of that one. What does not belong
here: what is checked (checks), and who asks (artifacts).
"""

import json
from dataclasses import dataclass
from pathlib import Path

from engage_pipeline import files

DISTRUSTED = "distrusted.json"


@dataclass(frozen=True)
class Mark:
    """Why the version in the folder `directory` is not trusted; None for whatever version, of a damaged mark."""

    directory: str | None
    reason: str

    def counts_against(self, directory: str) -> bool:
        """Whether it is a mark of this version."""
        return self.directory in {directory, None}


def read_mark(folder: Path) -> Mark | None:
    """The mark in the folder of an artifact; None where there is none."""
    path = folder / DISTRUSTED
    try:
        values = json.loads(path.read_bytes())
        directory, reason = values["directory"], values["reason"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        directory, reason = None, None
    if isinstance(directory, str) and isinstance(reason, str):
        return Mark(directory, reason)
    return Mark(None, f"{DISTRUSTED} is damaged")


def write_mark(folder: Path, directory: str, reason: str) -> None:
    """Marks the version `directory` in the folder of an artifact."""
    with files.atomic_file(folder / DISTRUSTED) as path:
        path.write_text(json.dumps({"directory": directory, "reason": reason}), encoding="utf-8")


def clear_damaged(folder: Path) -> None:
    """Removes a mark that can't be read: another version was published."""
    mark = read_mark(folder)
    if mark is not None and mark.directory is None:
        (folder / DISTRUSTED).unlink(missing_ok=True)
