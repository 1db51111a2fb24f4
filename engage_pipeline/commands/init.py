"""The command init: what a folder needs before `engage run` and the UI work in it.

The files stand in `new_folder/`; the repository's own dagster.yaml and workspace.yaml are the same.
"""

import os
import shlex
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.settings.schema_file import settings_schema

FILES = {name: name for name in ("config.yaml", "dagster.yaml", "workspace.yaml")} | {"gitignore": ".gitignore"}
"""What is copied, and its name in the folder."""
SCHEMA = "config.schema.json"


def init(
    folder: Annotated[Path, typer.Argument(help="Folder; it is made if it is not there.")] = Path(),
) -> None:
    """Prepare a folder: write what it lacks of config.yaml, its schema, dagster.yaml, workspace.yaml and .gitignore."""
    folder = folder.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}") from error
    there = [name for name in (*FILES.values(), SCHEMA) if os.path.lexists(folder / name)]
    if wrong := [folder / name for name in there if not (folder / name).is_file()]:
        found = "not a file" if wrong[0].exists() else "a link that leads nowhere"
        raise UserError(f"{wrong[0]}: {found}; remove it, or prepare another folder")
    source = resources.files(__package__) / "new_folder"
    texts = {target: (source / name).read_text(encoding="utf-8") for name, target in FILES.items()}
    missing = {name: text for name, text in {**texts, SCHEMA: f"{settings_schema()}\n"}.items() if name not in there}
    if not missing:
        raise UserError(f"{folder}: has all files already; nothing was written")
    for name, text in missing.items():
        with atomic.atomic_file(folder / name) as path:
            path.write_text(text, encoding="utf-8")
    if there:
        typer.echo(f"There already, and left as they are: {', '.join(there)}.")
    typer.echo(_next_steps(folder))


def _next_steps(folder: Path) -> str:
    enter = [] if folder == Path.cwd() else [f"cd {shlex.quote(str(folder))}"]
    lines = [
        *enter,
        "engage synthesize --out data/raw --rows 240000 --users 24000 --parts 4  # or name parts in config.yaml",
        "engage run                                         # makes every asset, prints the scores",
        'DAGSTER_HOME="$PWD" dagster dev --host 127.0.0.1   # the UI on http://127.0.0.1:3000',
    ]
    return "\n".join([f"{folder} is ready. Next:", "", *(f"  {line}" for line in lines)])
