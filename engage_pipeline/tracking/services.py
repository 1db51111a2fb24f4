"""The trackers that `trackers` may name: MLflow, TensorBoard and Weights & Biases, each by its class in accelerate.

A run of a tracker is one training, or one evaluation. Its name holds the artifact and a hash of what that is made of,
so a training that was killed and goes on continues its run. What does not belong here: that a tracker's failure harms
nothing (tracked).
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from engage_pipeline.errors import UserError
from engage_pipeline.settings.settings import Settings

PROJECT = "engage_pipeline"
"""The experiment in MLflow, and the project in Weights & Biases."""
FOLDER = "trackers"
"""The folder of working_dir for what trackers keep on this machine."""
_PACKAGES = {"mlflow": ("mlflow", "mlflow-skinny"), "tensorboard": ("tensorboard",) * 2, "wandb": ("wandb",) * 2}
"""For each tracker the module that it needs, and the package to install."""
_MLFLOW_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
"""Variables that keep a server that is down from holding up a training for minutes, unless a person sets them."""
_own_uri = ""
"""The URI that this process chose last: MLflow writes it into MLFLOW_TRACKING_URI."""
_RUN_TAG = "engage.run"


@dataclass(frozen=True)
class RunToTrack:
    """What trackers are told of a run: its `name`, `params`, and the `first_step` of this process (0 = from the start).

    `folder` is for what trackers keep on this machine.
    """

    name: str
    params: Mapping[str, str]
    folder: Path
    first_step: int = 0


class Service(Protocol):
    """A run that is open in one tracker. Each call may raise any Exception."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Adds values of one step to the curves of their names."""
        ...

    def end(self, status: str) -> None:
        """Ends the run: FINISHED, FAILED, or KILLED, after which it may go on."""
        ...


def require_trackers(settings: Settings) -> None:
    """Raises UserError naming the first of `trackers` whose package is not installed, and what to install."""
    for name in settings.trackers:
        module, package = _PACKAGES[name]
        if find_spec(module) is None:
            raise UserError(f"trackers: {name} is not installed: pip install {package}, or leave it out of trackers")


def open_service(name: str, run: RunToTrack) -> Service:
    """Opens `run` in the tracker `name`, or goes on with it. Raises what the tracker raises."""
    run.folder.mkdir(parents=True, exist_ok=True)
    return {"mlflow": _MLflow, "tensorboard": _TensorBoard, "wandb": _WandB}[name](run)


@contextmanager
def state_of_accelerate() -> Iterator[None]:
    """Gives accelerate the state that its trackers need, for a call, where this process has none.

    It is not kept: it would bind a training that follows to a device.
    """
    from accelerate.state import AcceleratorState, PartialState

    if PartialState._shared_state:
        yield
        return
    PartialState(cpu=True)
    try:
        yield
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)


class _Accelerated:
    """A run in a tracker of accelerate. This process is the one that tracks: accelerate need not ask."""

    def __init__(self, tracker: Any, run: RunToTrack, *, resumed: bool) -> None:
        self.tracker = tracker
        tracker.main_process_only = False
        tracker.start()
        if not resumed:
            tracker.store_init_configuration(dict(run.params))

    def log(self, values: Mapping[str, float], step: int) -> None:
        self.tracker.log(dict(values), step=step)

    def end(self, status: str) -> None:
        self.tracker.finish()


class _TensorBoard(_Accelerated):
    """Event files below the run's name; those of steps that are taken again are purged."""

    def __init__(self, run: RunToTrack) -> None:
        from accelerate.tracking import TensorBoardTracker

        tracker = TensorBoardTracker(run.name, run.folder / "tensorboard", purge_step=run.first_step + 1)
        super().__init__(tracker, run, resumed=run.first_step > 0)


class _WandB(_Accelerated):
    """A run whose id is the run's name."""

    def __init__(self, run: RunToTrack) -> None:
        from accelerate.tracking import WandBTracker

        kept = {"id": run.name, "name": run.name, "resume": "allow", "dir": str(run.folder)}
        super().__init__(WandBTracker(PROJECT, **kept), run, resumed=False)


class _MLflow(_Accelerated):
    """A run at MLFLOW_TRACKING_URI, or else in a SQLite file on this machine.

    Goes on with a run of this name that has not finished, after the last step that it has of each curve.
    """

    def __init__(self, run: RunToTrack) -> None:
        for name, value in _MLFLOW_DEFAULTS.items():
            os.environ.setdefault(name, value)
        from accelerate.tracking import MLflowTracker

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        kept = _choose_store(run.folder)
        found = _unfinished(run.name)
        self._last = _last_steps(found) if found else {}
        tracker = MLflowTracker(
            PROJECT, kept, run_id=found, run_name=run.name, tags={_RUN_TAG: run.name}, nested_run=True
        )
        super().__init__(tracker, run, resumed=found is not None)

    def log(self, values: Mapping[str, float], step: int) -> None:
        fresh = {name: value for name, value in values.items() if step > self._last.get(name, -1)}
        if fresh:
            super().log(fresh, step)

    def end(self, status: str) -> None:
        import mlflow

        mlflow.end_run(status)


def _choose_store(folder: Path) -> str | None:
    """Makes MLflow use a SQLite file in `folder`, unless MLFLOW_TRACKING_URI is a person's; returns where artifacts of
    such a file are kept."""
    global _own_uri  # noqa: PLW0603
    import mlflow

    theirs = os.environ.get("MLFLOW_TRACKING_URI", "")
    if theirs not in {"", _own_uri}:
        mlflow.set_tracking_uri(theirs)
        return None
    _own_uri = f"sqlite:///{folder / 'mlflow.db'}"
    mlflow.set_tracking_uri(_own_uri)
    return (folder / "mlflow").as_uri()


def _unfinished(name: str) -> str | None:
    """Returns the id of the latest MLflow run of this name that has not finished; None if there is none."""
    import mlflow

    experiment = mlflow.get_experiment_by_name(os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT))
    if experiment is None:
        return None
    wanted = f"tags.`{_RUN_TAG}` = '{name}' and attributes.status != 'FINISHED'"
    found = mlflow.MlflowClient().search_runs([experiment.experiment_id], wanted, max_results=1)
    return str(found[0].info.run_id) if found else None


def _last_steps(run_id: str) -> dict[str, int]:
    """Returns the last step of each curve of an MLflow run."""
    import mlflow

    client = mlflow.MlflowClient()
    names = client.get_run(run_id).data.metrics
    return {name: max(one.step for one in client.get_metric_history(run_id, name)) for name in names}
