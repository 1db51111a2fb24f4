"""All commands as one program. A user's mistake is reported in one line, without a trace.

Commands import heavy modules inside: `engage --help` loads neither Dagster nor torch.
"""

import io
import logging
import os
import select
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from typing import Annotated, Any

import typer

from engage_pipeline.commands import comparison, data, documents, init, models, pipeline
from engage_pipeline.commands.group import Commands
from engage_pipeline.errors import UserError
from engage_pipeline.files.outputs import StdoutClosedError
from engage_pipeline.machine import full_disk, refusals, stopping

_PIPE_CLOSED = 128 + signal.SIGPIPE
"""Exit status of a program whose reader has seen enough, such as `head`."""

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(context: typer.Context, value: bool) -> None:
    if value and not context.resilient_parsing:
        typer.echo(f"engage_pipeline {version('engage_pipeline')}")
        raise typer.Exit


@app.callback()
def engage(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Predicts how people engage with tweets."""


for command in (
    init.init,
    pipeline.run,
    pipeline.status,
    pipeline.backfill,
    pipeline.register_parts,
    pipeline.forget,
    models.predict,
    models.explain,
    models.evaluate,
    models.rollback,
    models.promote,
    comparison.compare,
    data.synthesize,
    data.rejects,
    data.path,
    data.settings,
):
    app.command()(command)


def run_command() -> int:
    """Runs the command of sys.argv; returns the exit status. Errors that are not the user's pass."""
    _show_log_lines()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as on standard error: no character breaks a table
    try:
        return _run_to_its_document()
    except StdoutClosedError:
        return _PIPE_CLOSED
    except UserError as error:
        return _failed(str(error), error.details)
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _silence_closed_pipes():
            with suppress(UserError, OSError):
                documents.finish()
            return _PIPE_CLOSED
        words = full_disk.in_words(error) if full_disk.is_full(error) else refusals.in_words(error)
        if words is None:
            stopping.end_if_told()
            with suppress(UserError, OSError):
                documents.finish(f"{type(error).__name__}: {error}")
            raise
        return _failed(words)


def _run_to_its_document() -> int:
    """Runs the command and writes its document, if it has one; returns the exit status."""
    try:
        app(prog_name="engage")
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # typer ends at any broken pipe, without a word
            raise end.__context__ from None
        stopping.end_if_told()
        documents.finish()
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    documents.finish()
    return 0


def _silence_closed_pipes() -> bool:
    """Returns whether standard output or standard error is a pipe whose reader has ended.

    Such a pipe is led to the null device: what is still in its buffer would fail again when Python ends.
    """
    poll = select.poll()
    for descriptor in (1, 2):
        poll.register(descriptor, 0)
    closed = [descriptor for descriptor, state in poll.poll(0) if state & select.POLLERR]
    for descriptor in closed:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, descriptor)
        os.close(null)
    return bool(closed)


def _failed(line: str, details: Mapping[str, Any] | None = None) -> int:
    """Reports an error of one line, or of a line for each of several mistakes."""
    with suppress(OSError):  # nobody reads standard error any more
        for one in line.split("\n"):
            typer.echo(f"engage: {one}", err=True)
    stopping.end_if_told()
    with suppress(UserError, OSError):  # a document that can't be written: the line has told the first error
        documents.finish(line, details)
    return 1


def _show_log_lines() -> None:
    """Writes the library's log lines to the terminal, before Dagster adds its own handler, which changes them."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    logger = logging.getLogger("engage_pipeline")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
