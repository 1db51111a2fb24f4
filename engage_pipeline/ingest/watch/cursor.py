"""What the watch over the raw parts remembers from one look to the next, as JSON that survives damage.

Only what the store does not know is kept: a part whose file is as its manifest says needs no memory. What does not
belong here: what follows from it (decision).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import FiniteFloat, TypeAdapter, ValidationError

VERSION = 1


@dataclass(frozen=True)
class Asked:
    """The last ingest that was requested for a part.

    `over` is the folder of the stored version it was to replace (empty = none was stored), `count` how many requests
    over that version came before, `at` the time in Unix seconds.
    """

    sha256: str
    over: str
    count: int
    run_key: str
    at: FiniteFloat


@dataclass(frozen=True)
class Seen:
    """A part's file when it was last looked at.

    `since` is the Unix time at which it was first seen with this size and modification time; `gone`: it was reported
    that the file is not there any more.
    """

    file: str
    bytes: int
    mtime_ns: int
    since: FiniteFloat
    sha256: str | None = None
    asked: Asked | None = None
    gone: bool = False


_SEEN = TypeAdapter(Seen)


@dataclass(frozen=True)
class Cursor:
    """What is remembered of the parts of one folder, by part."""

    folder: str = ""
    parts: Mapping[str, Seen] = field(default_factory=dict)

    def to_json(self) -> str:
        """The cursor as text, short: what is None or false is left out."""
        parts = {name: _short(asdict(seen)) for name, seen in sorted(self.parts.items())}
        value = {"version": VERSION, "folder": self.folder, "parts": parts}
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

    def of_folder(self, folder: str) -> "Cursor":
        """This cursor, or an empty one if it is about another folder."""
        return self if self.folder == folder else Cursor(folder)


def read_cursor(text: str | None) -> Cursor:
    """The cursor in `text`. What another version or no program wrote is forgotten: the parts are looked at anew."""
    try:
        value = json.loads(text or "null")
    except (ValueError, RecursionError):
        return Cursor()
    if not isinstance(value, dict) or value.get("version") != VERSION or not isinstance(value.get("folder"), str):
        return Cursor()
    entries = value.get("parts")
    parts = {name: _read_seen(entry) for name, entry in entries.items()} if isinstance(entries, dict) else {}
    return Cursor(value["folder"], {name: seen for name, seen in parts.items() if seen is not None})


def _read_seen(entry: Any) -> Seen | None:
    try:
        return _SEEN.validate_python(entry)
    except ValidationError:
        return None


def _short(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if value is not None and value is not False}
