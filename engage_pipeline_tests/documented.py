"""Pages made from the code: `python -m engage_pipeline_tests.documented commands > docs/commands.md`, and columns."""

import sys
from typing import Any

from typer.main import get_command

from engage_pipeline import schema
from engage_pipeline.commands.app import app
from engage_pipeline.interactions.features.meanings import meanings
from engage_pipeline.settings.families import COUNTER_FAMILIES

HEADER = """# Commands

`engage COMMAND --help` shows the same on the terminal. The exit status is 0, 1 for a mistake in data, settings or
names, 2 for a command or an option that there is not, and for an option that lacks its value or has one that can't be
(`--threads 0`, `--row x`), 130 or 143 for a command that was stopped, 141 where the reader of its output ended.

This page is made by `python -m engage_pipeline_tests.documented commands`; a test holds it to the code.
"""
COLUMNS = """# Columns of the feature rows

`interaction_features` has the training rows, `validation_features` those of the validation part and one column more,
`split` (the chunk of a fine-tuning row, -1 where the row is held out), `test_features` the rows to predict, without
labels. Meanings are those of `interaction_features`, where the row's own day is its `engagement_day`. In the other two,
counts of the training window are of all its rows; counts of the validation window leave out the row's own chunk in
`validation_features`, and are of every labelled row in `test_features`. So no row is counted with its own label. A
missing number is 0, a missing truth value false.

Token ids are not repeated: they are in the file of the tweets beside each file of features
([how they are read](data.md#features-with-their-tweets)).

`open_artifact` and `engage path` open the tables ([how](data.md#reading-what-was-made)); the UI has the same meanings.
This page is made by `python -m engage_pipeline_tests.documented columns`; a test holds it to the code.

| column | type | meaning |
|---|---|---|
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


def columns_markdown() -> str:
    """The whole page."""
    types = schema.feature_schema(labelled=True, families=COUNTER_FAMILIES)
    lines = [
        f"| `{name}` | {types.field(name).type} | {told} |" for name, told in meanings("interaction_features").items()
    ]
    return COLUMNS + "\n".join(lines) + "\n"


PAGES = {"commands": commands_markdown, "columns": columns_markdown}


if __name__ == "__main__":
    sys.stdout.write(PAGES[sys.argv[1]]())
