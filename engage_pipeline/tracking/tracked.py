"""A training or evaluation that trackers follow. A tracker that fails never harms it: one warning, and it goes on.

    with tracking(settings, "pretrained_network", identity)(first_step) as tracked:
        tracked.log({"loss/like": 0.1}, step)

What is handed over are losses, scores and settings: nothing of a single row, and no id. What does not belong here: the
trackers themselves (services).
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

from engage_pipeline.catalogue import relevant_settings
from engage_pipeline.settings.settings import Settings
from engage_pipeline.tracking.services import FOLDER, RunToTrack, Service, open_service, state_of_accelerate

LOGGER = logging.getLogger("engage_pipeline")
MOST_POINTS = 200
"""The most points of a curve that is handed over as a whole."""
_LONGEST_VALUE = 500


class Tracked:
    """A run that is open in some trackers, maybe none."""

    def __init__(self, name: str, services: Mapping[str, Service]) -> None:
        """`services` by the name of the tracker."""
        self.name = name
        self._services = dict(services)

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Adds values of one step to the curves of their names. A tracker that fails is told no more."""
        self._each(lambda service: service.log(values, step))

    def end(self, status: str) -> None:
        """Ends the run in every tracker: FINISHED, FAILED or KILLED."""
        self._each(lambda service: service.end(status))

    def _each(self, call: Callable[[Service], None]) -> None:
        for name, service in list(self._services.items()):
            try:
                with state_of_accelerate():
                    call(service)
            except Exception as error:  # whatever a tracker raises is no reason to lose a training
                _warn(name, self.name, error)
                del self._services[name]


Track = Callable[[int], AbstractContextManager[Tracked]]
"""Opens a run that goes on after a step; 0 = from the start."""


@contextmanager
def untracked(first_step: int = 0) -> Iterator[Tracked]:
    """Yields a run that no tracker follows."""
    yield Tracked("", {})


def tracking(
    settings: Settings, artifact: str, identity: str, *, params: Mapping[str, Any] | None = None, kind: str = ""
) -> Track:
    """Returns what opens a run of `artifact` in the trackers of the settings.

    `identity` tells whether a training is the same one that goes on, such as the name of its workspace; `kind` tells
    several trainings of an artifact apart. `params` are shown beside the settings of the artifact.
    """
    if not settings.trackers:
        return untracked
    name = "-".join(part for part in (artifact, kind, identity.removeprefix(".work-")[:12]) if part)
    shown = {"run": name, **(params or {}), **_flat(relevant_settings(artifact, settings))}
    return partial(_tracked, settings, name, {key: str(value)[:_LONGEST_VALUE] for key, value in shown.items()})


@contextmanager
def _tracked(settings: Settings, name: str, params: Mapping[str, str], first_step: int) -> Iterator[Tracked]:
    run = RunToTrack(name, params, settings.working_dir / FOLDER, first_step)
    tracked, status = Tracked(name, _opened(settings, run)), "KILLED"
    try:
        yield tracked
        status = "FINISHED"
    except Exception:
        status = "FAILED"
        raise
    finally:
        tracked.end(status)


def _opened(settings: Settings, run: RunToTrack) -> dict[str, Service]:
    found: dict[str, Service] = {}
    for name in dict.fromkeys(settings.trackers):
        try:
            with state_of_accelerate():
                found[name] = open_service(name, run)
        except Exception as error:  # a server that is down, a package that is gone
            _warn(name, run.name, error)
    return found


def log_curve(tracked: Tracked, name: str, values: Sequence[float]) -> None:
    """Logs values of steps 0, 1, …, at most MOST_POINTS of them, with the first and the last."""
    last = len(values) - 1
    count = min(len(values), MOST_POINTS)
    for step in sorted({round(place * last / max(count - 1, 1)) for place in range(count)}):
        tracked.log({name: values[step]}, step)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _warn(tracker: str, run: str, error: Exception) -> None:
    lines = str(error).strip().splitlines()
    LOGGER.warning(
        "trackers: %s failed (%s): %s goes on without it", tracker, (lines or [type(error).__name__])[0], run
    )
