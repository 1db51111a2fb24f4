"""Reads what MLflow keeps in the SQLite file of a working directory."""

from pathlib import Path
from typing import Any

PROJECT = "engage_pipeline"


def client_of(folder: Path) -> Any:
    """MLflow's client of the working directory `folder`."""
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{folder / 'trackers' / 'mlflow.db'}")


def runs_of(folder: Path) -> list[Any]:
    """Its runs, the latest first."""
    client = client_of(folder)
    return list(client.search_runs([client.get_experiment_by_name(PROJECT).experiment_id]))


def curve_of(folder: Path, run: Any, name: str) -> list[tuple[int, float]]:
    """Steps and values of one curve of a run, as they were logged."""
    return [(one.step, one.value) for one in client_of(folder).get_metric_history(run.info.run_id, name)]
