"""docs/commands.md, made from the commands: `python -m engage_pipeline_tests.documented > docs/commands.md`."""

import sys
from typing import Any

from typer.main import get_command

from engage_pipeline.commands.app import app

HEADER = """# Commands

`engage COMMAND --help` shows the same on the terminal. The exit status is 0, 1 for a mistake in data or settings, 2 for
a mistake in the command line, 130 or 143 for a command that was stopped.

This page is made by `python -m engage_pipeline_tests.documented`; a test holds it to the code.
"""


def commands() -> dict[str, Any]:
    """Every command of `engage` by name, as click describes it."""
    return dict(sorted(get_command(app).commands.items()))  # type: ignore[attr-defined]


def options(command: Any) -> list[str]:
    """The options of a command as they are typed, such as `--input`."""
    return [name for found in command.params for name in (*found.opts, *found.secondary_opts) if name.startswith("-")]


def commands_markdown() -> str:
    """The whole page."""
    lines = [HEADER]
    for name, command in commands().items():
        lines += [f"## `engage {name}`", "", command.help, ""]
        if command.params:
            lines += ["| argument or option | meaning | default |", "|---|---|---|"]
            lines += [*map(_row, command.params), ""]
    return "\n".join(lines)


def _row(found: Any) -> str:
    is_option = found.param_type_name == "option"
    typed = ", ".join((*found.opts, *found.secondary_opts)) if is_option else found.name.upper()
    # Where the default depends on the machine or the folder, the help says it in brackets.
    default = "required" if found.required else "" if found.default in (None, False) else f"`{found.default}`"
    cells = (f"`{typed}`", found.help.replace("|", "\\|"), default)
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.stdout.write(commands_markdown())
