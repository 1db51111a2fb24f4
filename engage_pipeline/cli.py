"""The command `engage`. A user's mistake is one line, no trace.

Heavy imports stand inside the commands: `engage --help` loads neither Dagster nor torch.
"""

import logging
import sys

import typer

from engage_pipeline.commands import comparing, data, models, pipeline
from engage_pipeline.errors import UserError
from engage_pipeline.exhausted import in_words, is_full

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
    comparing.compare,
    data.synthesize,
    data.rejects,
    data.settings,
):
    app.command()(command)


def _show_log_lines() -> None:
    """Writes the library's lines to the terminal, before Dagster adds a handler of its own that rewords them."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    logger = logging.getLogger("engage_pipeline")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def main() -> None:
    """Entry point: exit status 0, 1 for a mistake in data or settings, 2 for a wrong command line, 130 interrupted."""
    _show_log_lines()
    try:
        app()
    except UserError as error:
        typer.echo(f"engage: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("engage: interrupted", err=True)
        sys.exit(130)
    except Exception as error:
        if not is_full(error):
            raise
        typer.echo(f"engage: {in_words(error)}", err=True)
        sys.exit(1)
