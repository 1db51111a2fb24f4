"""The memory of the watch between two looks, as JSON; damaged entries are dropped.

It holds only what the store does not know: a part whose file matches its manifest has no entry. What does not belong
here: the decision that uses it (decision).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import FiniteFloat, TypeAdapter, ValidationError

VERSION = 1


@dataclass(frozen=True)
class Asked:
    """The last ingest requested for a part.

    `over`: folder of the stored version that it was to replace (empty = none was stored). `count`: earlier requests
    to replace that version. `at`: Unix seconds.
    """

    sha256: str
    over: str
    count: int
    run_key: str
    at: FiniteFloat


@dataclass(frozen=True)
class Seen:
    """A part's file at the last look.

    `since`: Unix seconds at which it was first seen with this size and modification time. `gone`: the file's absence
    was reported.
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
    """What is remembered of the parts of one folder, by part name."""

    folder: str = ""
    parts: Mapping[str, Seen] = field(default_factory=dict)

    def to_json(self) -> str:
        """Returns the cursor as JSON, without values that are None or false. The UI breaks its line at the spaces."""
        parts = {name: _short(asdict(seen)) for name, seen in sorted(self.parts.items())}
        value = {"version": VERSION, "folder": self.folder, "parts": parts}
        return json.dumps(value, ensure_ascii=False)

    def of_folder(self, folder: str) -> "Cursor":
        """Returns this cursor, or an empty one if it is about another folder."""
        return self if self.folder == folder else Cursor(folder)


def read_cursor(text: str | None) -> Cursor:
    """Parses the cursor in `text`. Text of another version and damaged entries are ignored."""
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
