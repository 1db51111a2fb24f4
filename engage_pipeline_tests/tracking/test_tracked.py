"""Curves and scores reach MLflow's SQLite store; whatever a tracker does, the work goes on."""

import logging
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.settings.settings import Settings
from engage_pipeline.tracking.services import require_trackers
from engage_pipeline.tracking.tracked import log_curve, tracking, untracked
from engage_pipeline_tests.samples import tiny_settings
from engage_pipeline_tests.tracking.mlflow_runs import curve_of, runs_of

IDENTITY = ".work-0123456789abcdef"


def settings_of(folder: Path, *trackers: str) -> Settings:
    return tiny_settings(folder, trackers=list(trackers), network={"hidden_size": 48})


def test_none_is_followed_by_default_and_nothing_heavy_is_loaded(tmp_path: Path) -> None:
    assert tiny_settings(tmp_path).trackers == ()
    assert tracking(tiny_settings(tmp_path), "evaluation", IDENTITY) is untracked
    program = "import sys; import engage_pipeline.tracking.tracked; print({'mlflow', 'torch'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_values_params_and_name_are_in_mlflow_s_file(tmp_path: Path) -> None:
    track = tracking(settings_of(tmp_path, "mlflow"), "evaluation", IDENTITY, params={"candidate": "f00"})
    with track(0) as tracked:
        tracked.log({"rce/like": 12.5, "ap/like": 0.25}, 0)
    (run,) = runs_of(tmp_path)
    assert run.info.run_name == "evaluation-0123456789ab"
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"rce/like": 12.5, "ap/like": 0.25}
    assert run.data.params["candidate"] == "f00"
    assert run.data.params["run"] == "evaluation-0123456789ab"
    assert run.data.params["network.hidden_size"] == "48"
    assert "recsys_data" not in run.data.params
    assert [path.name for path in tmp_path.iterdir()] == ["trackers"]


def test_a_finished_run_is_not_gone_on_with(tmp_path: Path) -> None:
    track = tracking(settings_of(tmp_path, "mlflow"), "evaluation", IDENTITY)
    for value in (1.0, 2.0):
        with track(0) as tracked:
            tracked.log({"rce/like": value}, 0)
    assert [run.data.metrics["rce/like"] for run in runs_of(tmp_path)] == [2.0, 1.0]


def test_each_working_directory_has_its_own_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with tracking(settings_of(tmp_path / name, "mlflow"), "evaluation", IDENTITY)(0) as tracked:
            tracked.log({"rce/like": 1.0}, 0)
    assert len(runs_of(tmp_path / "one")) == len(runs_of(tmp_path / "two")) == 1


def test_a_person_s_store_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trackers").mkdir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'trackers' / 'mlflow.db'}")
    with tracking(settings_of(tmp_path / "data", "mlflow"), "evaluation", IDENTITY)(0) as tracked:
        tracked.log({"rce/like": 1.0}, 0)
    assert len(runs_of(tmp_path)) == 1


def test_a_server_that_is_down_costs_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, and nobody listens
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed.getsockname()[1]}")
        caplog.set_level(logging.WARNING, "engage_pipeline")
        with tracking(settings_of(tmp_path, "mlflow"), "evaluation", IDENTITY)(0) as tracked:
            for step in range(3):
                tracked.log({"rce/like": 1.0}, step)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "engage_pipeline"]
    assert line.startswith("trackers: mlflow failed (")
    assert line.endswith("): evaluation-0123456789ab goes on without it")
    assert "\n" not in line


def test_a_store_that_breaks_on_the_way_costs_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "engage_pipeline")
    with tracking(settings_of(tmp_path, "mlflow"), "evaluation", IDENTITY)(0) as tracked:
        tracked.log({"rce/like": 1.0}, 0)
        (tmp_path / "trackers" / "mlflow.db").write_bytes(b"no database")
        for step in range(1, 4):
            tracked.log({"rce/like": 1.0}, step)
    assert len([record for record in caplog.records if record.name == "engage_pipeline"]) == 1


def test_a_package_that_is_gone_by_now_costs_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    caplog.set_level(logging.WARNING, "engage_pipeline")
    with tracking(settings_of(tmp_path, "mlflow"), "evaluation", IDENTITY)(0) as tracked:
        tracked.log({"rce/like": 1.0}, 0)
    assert len(caplog.records) == 1
    assert not runs_exist(tmp_path)


def runs_exist(folder: Path) -> bool:
    return (folder / "trackers" / "mlflow.db").exists()


def test_an_error_of_the_work_is_the_work_s_own(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match="mine"),
        tracking(settings_of(tmp_path, "mlflow"), "evaluation", IDENTITY)(0),
    ):
        raise UserError("mine")
    assert runs_of(tmp_path)[0].info.status == "FAILED"


def test_a_long_curve_is_thinned_and_keeps_its_ends(tmp_path: Path) -> None:
    with tracking(settings_of(tmp_path, "mlflow"), "engagement_trees", IDENTITY)(0) as tracked:
        log_curve(tracked, "long", [float(step) for step in range(1000)])
        log_curve(tracked, "one", [7.0])
        log_curve(tracked, "none", [])
    (run,) = runs_of(tmp_path)
    long = curve_of(tmp_path, run, "long")
    assert len(long) == 200
    assert (long[0], long[-1]) == ((0, 0.0), (999, 999.0))
    assert all(step == value for step, value in long)
    assert curve_of(tmp_path, run, "one") == [(0, 7.0)]
    assert "none" not in run.data.metrics


def test_accelerate_is_left_as_it_was(tmp_path: Path) -> None:
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, PartialState

    AcceleratorState._reset_state(reset_partial_state=True)
    with tracking(settings_of(tmp_path, "mlflow"), "evaluation", IDENTITY)(0) as tracked:
        assert not PartialState._shared_state
        tracked.log({"rce/like": 1.0}, 0)
        assert not PartialState._shared_state
    assert not PartialState._shared_state
    own = Accelerator(mixed_precision="bf16", cpu=True)
    with tracking(settings_of(tmp_path, "mlflow"), "evaluation", IDENTITY)(0):
        pass
    assert own.mixed_precision == "bf16"
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.parametrize(("tracker", "package"), [("mlflow", "mlflow-skinny"), ("tensorboard", "tensorboard")])
def test_a_missing_package_is_named_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracker: str, package: str
) -> None:
    monkeypatch.setattr("engage_pipeline.tracking.services.find_spec", lambda name: None)
    line = f"trackers: {tracker} is not installed: pip install {package}, or leave it out of trackers"
    with pytest.raises(UserError, match=f"^{line}$"):
        require_trackers(settings_of(tmp_path, tracker))
    require_trackers(settings_of(tmp_path))


def test_an_installed_package_is_found(tmp_path: Path) -> None:
    require_trackers(settings_of(tmp_path, "mlflow"))


@pytest.mark.parametrize("first", [0, 2])
def test_tensorboard_s_curve_goes_on_too(tmp_path: Path, first: int) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    track = tracking(settings_of(tmp_path, "tensorboard"), "pretrained_network", IDENTITY)
    with track(0) as tracked:
        for step in (1, 2, 3):
            tracked.log({"loss/like": float(step)}, step)
    with track(first) as tracked:
        for step in range(first + 1, 6):
            tracked.log({"loss/like": 10.0 * step}, step)
    found = EventAccumulator(str(tmp_path / "trackers" / "tensorboard" / "pretrained_network-0123456789ab"))
    found.Reload()
    curve = [(one.step, one.value) for one in found.Scalars("loss/like")]
    assert curve == [(step, float(step if step <= first else 10 * step)) for step in range(1, 6)]
