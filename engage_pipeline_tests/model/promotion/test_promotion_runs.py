"""Promotion and rollback in the whole pipeline: what is made, what users are told, and that it stays."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from engage_pipeline.commands.app import app
from engage_pipeline.definitions import build_definitions
from engage_pipeline.errors import UserError
from engage_pipeline.model.evaluation.holdout import read_scores
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline.orchestration.running import materialize, summary
from engage_pipeline.store.plan import Step
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests import worlds
from engage_pipeline_tests.model.promotion.promotions import mean_of_the_counted
from engage_pipeline_tests.orchestration.checks.looking import look

pytestmark = pytest.mark.long
Engage = Callable[..., str]
BAD = {"network": {"learning_rate": 1e-9, "start_at_base_rates": False}, "trees": {"enabled": False}}
"""A network that was hardly trained and does not know the base rates."""
NAME = dg.AssetKey("trained_model")


def names(steps: list[Step]) -> list[str]:
    return [step.artifact for step in steps]


def results(store: ArtifactStore) -> bytes:
    return store.open("submission").path("results.csv").read_bytes()


@pytest.fixture
def engage(world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Engage:
    """Runs the command in this process; returns what it printed."""
    monkeypatch.setenv("DAGSTER_HOME", str(world))

    def run(*arguments: str) -> str:
        capsys.readouterr()
        app([*arguments, "--config", str(world / "config.yaml")], standalone_mode=False)
        return capsys.readouterr().out

    return run


def test_a_worse_model_is_turned_down_and_everyone_is_told(world: Path) -> None:
    before = worlds.store_of(world / "config.yaml")
    good, csv = before.open("trained_model").manifest, results(before)
    config = worlds.write_config(world, **BAD)
    with dg.DagsterInstance.ephemeral() as instance:
        made = worlds.run(config, instance=instance)
        checked = instance.get_latest_asset_check_evaluation_record(
            dg.AssetCheckKey(NAME, "new_model_is_not_worse")
        ).event.asset_check_evaluation
        shown = instance.get_latest_materialization_event(NAME).asset_materialization.metadata
    store = worlds.store_of(config)
    now, candidate = store.open("trained_model").manifest, store.open("candidate_model").manifest
    assert now.version == good.version != candidate.version
    assert results(store) == csv
    assert not checked.passed
    assert checked.severity is dg.AssetCheckSeverity.WARN
    assert checked.description == now.facts["decision"]
    assert checked.metadata["candidate, mean"].value < checked.metadata["model before, mean"].value
    assert "| mean |" in shown["candidate and model before"].value
    scores = read_scores(store.open("evaluation").path("scores.json"))
    assert list(scores) == ["pretrained", "network", "predicting", "constant"]
    assert json.loads(store.open("evaluation").path("scores.json").read_text())["main_model"] == "network"
    for name, decided in {"predicting": "model before", "network": "candidate"}.items():
        found = {target: one.overall.rce for target, one in scores[name].engagements.items()}
        assert found == pytest.approx({target: now.facts["rce"][decided][target] for target in found})
        assert now.facts["rce"][decided]["mean"] == pytest.approx(mean_of_the_counted(scores[name], "rce"))
    assert now.facts["decision"] in store.open("evaluation").path("report.html").read_text(encoding="utf-8")
    text = summary(store, made)
    assert f"The new model does not predict. {now.facts['decision']}." in text
    assert "results.csv is that of the model promoted on 20" in text
    assert worlds.run(config) == []


def test_a_first_model_below_the_constant_rate_predicts_nothing(world: Path, engage: Engage) -> None:
    """The run makes all but results.csv, says why in one line, and promises nothing; a person may overrule it."""
    for name in ("model/candidate_model", "model/trained_model", "model/evaluation", "submission"):
        shutil.rmtree(world / "data" / name)
    config = worlds.write_config(world, **BAD, promotion={"least_first_rce": 0.0})
    with pytest.raises(
        UserError, match=r"^submission: no model predicts yet: the candidate \w{8} was turned down: mean"
    ):
        engage("run")
    store = worlds.store_of(config)
    decision = store.open("trained_model").manifest.facts["decision"]
    assert store.manifest("submission") is None
    assert "results" not in summary(store, [])
    assert decision in store.open("evaluation").path("report.html").read_text(encoding="utf-8")
    found = look(config, "trained_model")["new_model_is_not_worse"]
    assert (found.passed, found.severity, found.description) == (False, dg.AssetCheckSeverity.WARN, decision)
    assert engage("rollback").startswith("no model predicts yet: the candidate")
    assert worlds.run(config) == []  # what the jobs of the schedule do: nothing is made again and again
    with dg.DagsterInstance.ephemeral() as instance:
        pipeline = build_definitions(Pipeline(config=str(config)))
        (failure,) = materialize(pipeline, instance, [[Step("submission", None, "by hand")]])
    assert failure.startswith("submission: no model predicts yet: the candidate")
    with pytest.raises(UserError, match=r"^no model predicts yet"):
        engage("predict", "--input", str(world / "raw" / "test"), "--output", str(world / "out.csv"))
    assert not (world / "out.csv").exists()

    engage("promote")
    assert sorted(names(worlds.run(config))) == ["evaluation", "submission"]
    assert "results: " in summary(worlds.store_of(config), [])


@pytest.mark.long
def test_a_rollback_stays(world: Path, engage: Engage) -> None:
    store = worlds.store_of(world / "config.yaml")
    good, csv = store.open("trained_model").manifest, results(store)
    config = worlds.write_config(world, **BAD, promotion={"tolerance": 1e6})
    worlds.run(config)
    bad = worlds.store_of(config).open("trained_model").manifest
    assert bad.version != good.version
    assert "does not predict" not in summary(worlds.store_of(config), [])

    assert [line.split()[0] for line in engage("rollback").splitlines()[1:]] == [bad.version, good.version]
    done = engage("rollback", "--to", good.version[:8])
    assert done == f"model {good.version[:8]} predicts from now on; `engage run` makes results.csv anew\n"
    with dg.DagsterInstance.from_config(str(world)) as instance:
        event = instance.get_latest_materialization_event(NAME).asset_materialization
    assert event.metadata["version"].value == good.version
    assert event.tags["dagster/data_version"] == good.version
    assert event.metadata["decision"].value.startswith("rolled back to")

    assert sorted(names(worlds.run(config))) == ["evaluation", "submission"]
    store = worlds.store_of(config)
    assert results(store) == csv
    assert store.open("trained_model").manifest.version == good.version
    assert "rolled back to" in summary(store, [])
    assert worlds.run(config) == []

    assert engage("promote").startswith(f"model {bad.version[:8]} predicts from now on")
    assert sorted(names(worlds.run(config))) == ["evaluation", "submission"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("rollback", "--previous"), "no earlier model is kept: there is nothing to roll back to"),
        (("rollback", "--to", "zz"), "no kept model has the version 'zz'"),
        (("rollback", "--to", "a", "--previous"), "give --to or --previous, not both"),
        (("promote",), "predicts already"),
    ],
)
def test_mistakes_are_named(engage: Engage, arguments: tuple[str, ...], line: str) -> None:
    with pytest.raises(UserError, match=line):
        engage(*arguments)


def test_retraining_starts_warm_where_the_setting_says_so(world: Path) -> None:
    before = worlds.store_of(world / "config.yaml").open("pretrained_network").manifest
    config = worlds.write_config(world, network={"warm_start": True})
    worlds.run(config, "pretrained_network")
    first = worlds.store_of(config).open("pretrained_network").manifest
    assert first.facts["warm_started_from"] == before.version != first.version
    parts = world / "raw" / "train"
    (parts / "part-00009").write_bytes((parts / "part-00000").read_bytes().replace(b"TopLevel", b"Quote"))
    worlds.run(config, "pretrained_network")
    assert worlds.store_of(config).open("pretrained_network").manifest.facts["warm_started_from"] == first.version
    config = worlds.write_config(world, network={"warm_start": True}, encoder={"max_tokens": 11})
    worlds.run(config, "pretrained_network")
    facts = worlds.store_of(config).open("pretrained_network").manifest.facts
    assert facts["cold_start"] == "the token codes have changed"
