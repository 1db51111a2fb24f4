"""What a killed process left in the spill folder: rows, of which some may have been deleted since."""

from contextlib import ExitStack
from pathlib import Path

from engage_pipeline.files import atomic
from engage_pipeline.settings.settings import Settings

_PATTERN = "duckdb_temp_*"
SPARK_PREFIX = "spark_temp_"
"""What the folders begin with in which Spark keeps tables and spills; each is locked as long as it is in use."""
PIECES_PREFIX = "pieces_temp_"
"""The same of the folders that hold the pieces of a part while its features are written."""


def spill_folder(settings: Settings) -> Path:
    """Where the engine spills."""
    return settings.engine.temp_directory or settings.working_dir / ".spill"


def remove_spilled(settings: Settings) -> None:
    """Removes the files of killed processes from the spill folder. Raises UserError where a run that may need those of
    DuckDB is at work."""
    for prefix in (SPARK_PREFIX, PIECES_PREFIX):
        atomic.remove_unlocked(spill_folder(settings), prefix)
    found = [path for path in spill_folder(settings).glob(_PATTERN) if path.is_file()]
    if not found:
        return
    with ExitStack() as locks:
        for lock in sorted(settings.working_dir.glob("*/*/**/.lock")):
            message = (
                f"{spill_folder(settings)}: kept, because a run is at work in {lock.parent}; forget again after it"
            )
            locks.enter_context(atomic.exclusive(lock, message))
        in_use = _open_files()
        for path in found:
            if path.resolve() not in in_use:
                path.unlink(missing_ok=True)


def _open_files() -> set[Path]:
    """The files that processes of this user have open, where the system tells (Linux)."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            found.add(link.readlink())
        except OSError:
            continue
    return found
