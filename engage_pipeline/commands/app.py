"""All commands as one program. A user's mistake is reported in one line, without a trace.

Commands import heavy modules inside: `engage --help` loads neither Dagster nor torch.
"""

import io
import logging
import signal
import sys
from collections.abc import Mapping
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
        app(prog_name="engage")
    except SystemExit as end:
        stopping.end_if_told()
        documents.finish()
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except StdoutClosedError:
        documents.finish()
        return _PIPE_CLOSED
    except UserError as error:
        return _failed(str(error), error.details)
    except Exception as error:
        words = full_disk.in_words(error) if full_disk.is_full(error) else refusals.in_words(error)
        if words is None:
            stopping.end_if_told()
            documents.finish(f"{type(error).__name__}: {error}")
            raise
        return _failed(words)
    documents.finish()
    return 0


def _failed(line: str, details: Mapping[str, Any] | None = None) -> int:
    """Reports an error of one line, or of a line for each of several mistakes."""
    for one in line.split("\n"):
        typer.echo(f"engage: {one}", err=True)
    stopping.end_if_told()
    documents.finish(line, details)
    return 1


def _show_log_lines() -> None:
    """Writes the library's log lines to the terminal, before Dagster adds its own handler, which changes them."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    logger = logging.getLogger("engage_pipeline")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
