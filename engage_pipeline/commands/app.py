"""All commands as one program. A user's mistake is reported in one line, without a trace.

Commands import heavy modules inside: `engage --help` loads neither Dagster nor torch.
"""

import io
import logging
import sys

import typer

from engage_pipeline.commands import comparison, data, models, pipeline
from engage_pipeline.errors import UserError
from engage_pipeline.machine import full_disk, refusals

app = typer.Typer(
    help="Predicts how people engage with tweets.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
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
    data.settings,
):
    app.command()(command)


def run_command() -> int:
    """Runs the command of sys.argv; returns the exit status. Errors that are not the user's pass."""
    _show_log_lines()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as on standard error: no character breaks a table
    try:
        app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except UserError as error:
        typer.echo(f"engage: {error}", err=True)
        return 1
    except Exception as error:
        words = full_disk.in_words(error) if full_disk.is_full(error) else refusals.in_words(error)
        if words is None:
            raise
        typer.echo(f"engage: {words}", err=True)
        return 1
    return 0


def _show_log_lines() -> None:
    """Writes the library's log lines to the terminal, before Dagster adds its own handler, which changes them."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    logger = logging.getLogger("engage_pipeline")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
