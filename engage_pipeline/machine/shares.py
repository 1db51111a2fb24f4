"""Shares files, threads and memory among several processes."""

import os
import re
from collections.abc import Sequence

from engage_pipeline.locations.location import Location
from engage_pipeline.machine.memory import machine_memory
from engage_pipeline.settings.settings import Settings

_UNITS = {"KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_LIMIT = re.compile(r"([\d.]+)\s?(\D+)")


def shared_by_size(paths: Sequence[Location], processes: int) -> list[dict[int, Location]]:
    """Splits files into at most `processes` shares of similar bytes, none empty; a share maps index in `paths` to path.

    From the largest file on, each goes to the share with the fewest bytes. A share is in the order of `paths`.
    """
    shares: list[dict[int, Location]] = [{} for _ in range(min(processes, len(paths)))]
    sizes = [path.stat().st_size for path in paths]
    loads = [0] * len(shares)
    for place in sorted(range(len(paths)), key=lambda place: -sizes[place]):
        # Ties go to the share with the fewest files, so that none stays empty.
        least = min(range(len(shares)), key=lambda share: (loads[share], len(shares[share])))
        shares[least][place] = paths[place]
        loads[least] += sizes[place]
    return [dict(sorted(share.items())) for share in shares]


def settings_of_one(settings: Settings, processes: int, threads: int | None = None) -> Settings:
    """Returns the settings of one of `processes` processes, with its share of threads and engine.memory_limit.

    Its threads are `threads`, else engine.threads, else its share of the cores.
    """
    engine = settings.engine
    threads = threads or engine.threads
    if processes > 1:
        threads = threads or max(1, threads_of(settings) // processes)
        engine = engine.model_copy(update={"memory_limit": shared_limit(engine.memory_limit, processes)})
    return settings.model_copy(update={"engine": engine.model_copy(update={"threads": threads})})


def threads_of(settings: Settings) -> int:
    """engine.threads, else the cores that this process may use."""
    return settings.engine.threads or len(os.sched_getaffinity(0))


def trainings_at_once(settings: Settings) -> int:
    """How many trainings of `training_threads` threads each there are cores for, at least one."""
    return max(1, threads_of(settings) // settings.training_threads)


def shared_limit(limit: str, processes: int) -> str:
    """A `processes`th of a limit such as `70%` or `4GB`."""
    number, unit = _read_limit(limit)
    return f"{number / processes:.4f}{unit}"


def memory_bytes(limit: str) -> int:
    """What `engine.memory_limit` allows in bytes; a percentage is one of this machine's memory."""
    number, unit = _read_limit(limit)
    return int(number / 100 * machine_memory()) if unit == "%" else int(number * _UNITS[unit.upper()])


def _read_limit(limit: str) -> tuple[float, str]:
    """Number and unit. Raises ValueError where `limit` has none of the units."""
    found = _LIMIT.fullmatch(limit)
    if found is None or (found[2] != "%" and found[2].upper() not in _UNITS):
        raise ValueError(f"{limit!r} is no limit of memory")
    return float(found[1]), found[2]
