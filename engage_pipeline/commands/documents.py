"""The JSON document of a command with `--json`: one on standard output, with nothing beside it, also after an error.

Whatever else is printed, by this program or a library, goes to standard error. The keys of the documents are listed in
docs/operations.md. What does not belong here: the content of the documents (the commands).
"""

import io
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

import typer

from engage_pipeline.files.outputs import StdoutClosedError, require_stdout
from engage_pipeline.machine import stopping

ERROR = "error"
_output: int | None = None
"""Standard output as it was, once a command was asked for a document."""
_document: dict[str, Any] = {}


def wanted(context: typer.Context, value: bool) -> bool:
    """Takes standard output for the document if `value`; the option's callback. A shell's completion takes nothing."""
    if value and not context.resilient_parsing:
        take_output()
    return value


def take_output() -> None:
    """Keeps standard output for the document, and leads whatever is printed to standard error.

    Raises UserError if standard output is closed.
    """
    global _output  # noqa: PLW0603
    if _output is None:
        require_stdout()
        sys.stdout.flush()
        _output = os.dup(1)
        os.dup2(2, 1)
        stopping.call_at_end(finish)


def discard() -> None:
    """Writes no document: another process of the same command does."""
    global _output  # noqa: PLW0603
    if _output is not None:
        os.close(_output)
        _output = None


def put(document: Mapping[str, Any]) -> None:
    """Adds keys of JSON types to the document. A function is called when the document is written: its result counts."""
    _document.update(document)


def finish(error: str | None = None, details: Mapping[str, Any] | None = None) -> None:
    """Writes the document if one was asked for and not written yet; with an error its line, and figures if there are
    any. Raises StdoutClosedError if its reader has ended, and OSError if the disk is full."""
    global _output
    output, _output = _output, None
    if output is None:
        return
    if error is not None:
        _document.update({ERROR: error, **({"details": dict(details)} if details else {})})
    values = {name: value() if callable(value) else value for name, value in _document.items()}
    text = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        with os.fdopen(output, "wb", buffering=0) as file:
            _write_all(file, text.encode("utf-8"))
    except BrokenPipeError as broken:  # head ends early
        raise StdoutClosedError("standard output: its reader has ended (broken pipe)") from broken


def _write_all(file: io.RawIOBase, content: bytes) -> None:
    """Writes without a buffer: one that could not be written is written again, and fails again, when it is closed."""
    left = memoryview(content)
    while left:
        left = left[file.write(left) or 0 :]
