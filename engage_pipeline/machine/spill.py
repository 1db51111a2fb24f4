"""The spill folder, and removing leftovers of killed processes: rows that may have been deleted since."""

from contextlib import ExitStack
from pathlib import Path

from engage_pipeline.files import atomic
from engage_pipeline.settings.settings import Settings

_PATTERN = "duckdb_temp_*"
SPARK_PREFIX = "spark_temp_"
"""Prefix of the folders of Spark's tables and spills; a folder is locked while it is in use."""
SHARDS_PREFIX = "shards_temp_"
"""Prefix of the folders with the rows and counts of shards while these are worked on; locked likewise."""
EFFECTS_PREFIX = "effects_temp_"
"""Prefix of the folders with the rows that the effects are fitted to; locked likewise."""
PREDICT_PREFIX, EXPLAIN_PREFIX, EVALUATE_PREFIX = ".predict-", ".explain-", ".evaluate-"
"""Prefixes of the folders in working_dir with the rows that a command reads; locked likewise."""


def spill_folder(settings: Settings) -> Path:
    """Returns the folder in which the engine spills."""
    return settings.engine.temp_directory or settings.working_dir / ".spill"


def remove_spilled(settings: Settings) -> None:
    """Removes the files of killed processes from the spill folder, and those of killed commands from working_dir.

    Raises UserError if a run is active that may need DuckDB's files.
    """
    for prefix in (SPARK_PREFIX, SHARDS_PREFIX, EFFECTS_PREFIX):
        atomic.remove_unlocked(spill_folder(settings), prefix)
    for prefix in (PREDICT_PREFIX, EXPLAIN_PREFIX, EVALUATE_PREFIX):
        atomic.remove_unlocked(settings.working_dir, prefix)
    found = [path for path in spill_folder(settings).glob(_PATTERN) if path.is_file()]
    if not found:
        return
    with ExitStack() as locks:
        for lock in sorted(settings.working_dir.glob("*/*/**/.lock")):
            message = (
                f"{spill_folder(settings)}: kept, because a run is active in {lock.parent}; run engage forget after it"
            )
            locks.enter_context(atomic.exclusive(lock, message))
        in_use = _open_files()
        for path in found:
            if path.resolve() not in in_use:
                path.unlink(missing_ok=True)


def _open_files() -> set[Path]:
    """Returns the files that processes of this user have open; empty except on Linux."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            found.add(link.readlink())
        except OSError:
            continue
    return found
