"""The command `engage`: what happens at its start and its end, whichever command it is.

The commands themselves stand in `commands`, and are loaded when signals are watched.
"""

import sys

from engage_pipeline.machine import garbage, stopping


def main() -> None:
    """Entry point: exit status 0, 1 for a mistake in data or settings, 2 in the command line, 130 or 143 stopped."""
    stopping.watch()
    garbage.seek_rarely()
    try:
        from engage_pipeline.commands.app import run_command

        status = run_command()
    except BaseException:
        stopping.end_if_told()
        raise
    stopping.end_if_told()
    stopping.ignore()
    sys.exit(status)
