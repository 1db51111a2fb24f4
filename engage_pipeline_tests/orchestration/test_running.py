"""Runs that meet: finished work of another run is taken, and what was made is known also after an error."""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.commands.options import open_pipeline
from engage_pipeline.errors import UserError
from engage_pipeline.orchestration import backfilling, running
from engage_pipeline.orchestration.assets.materializing import PLANNED
from engage_pipeline.orchestration.graph import build_graph
from engage_pipeline.orchestration.history import open_instance
from engage_pipeline.orchestration.pools import set_up_pools
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline.orchestration.running import materialize
from engage_pipeline.store.plan import SEGMENTS, Step
from engage_pipeline_tests import worlds

pytestmark = pytest.mark.long
ENGAGE = str(Path(sys.executable).with_name("engage"))
PARTS = [Step("tweet_parts", f"part-0000{number}", "not there yet") for number in range(2)]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return worlds.make_world(tmp_path)


@pytest.fixture
def instance() -> dg.DagsterInstance:
    instance = dg.DagsterInstance.ephemeral()
    instance.add_dynamic_partitions("part", [str(step.key) for step in PARTS])
    return instance


def make(config: Path, instance: dg.DagsterInstance, steps: list[Step], tags: dict[str, str]) -> list[Step]:
    """Makes the steps in one run; returns those that were made."""
    made: list[Step] = []
    assert materialize(build_graph(Pipeline(config=str(config))), instance, [steps], tags, made=made) == []
    return made


def directories(config: Path, steps: list[Step]) -> list[str]:
    manifests = [worlds.store_of(config).manifest(step.artifact, step.key) for step in steps]
    return [manifest.directory for manifest in manifests if manifest]


def test_a_planned_step_takes_what_another_run_has_made(
    config: Path, instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="engage_pipeline")
    planned, tests = {PLANNED: "true"}, [Step("test_tweets", None, "not there yet")]
    assert make(config, instance, PARTS[:1], planned) == PARTS[:1]
    assert make(config, instance, tests, planned) == tests
    before = directories(config, [PARTS[0], *tests])
    assert "meanwhile" not in caplog.text
    assert make(config, instance, PARTS, planned) == PARTS[1:]
    assert make(config, instance, tests, planned) == []
    assert directories(config, [PARTS[0], *tests]) == before
    assert "tweet_parts/part-00000: made by another run meanwhile" in caplog.messages
    assert "test_tweets: made by another run meanwhile" in caplog.messages
    assert "tweet_parts/part-00001: made by another run meanwhile" not in caplog.messages
    assert instance.get_materialized_partitions(dg.AssetKey("tweet_parts")) == {"part-00000", "part-00001"}


def test_a_file_that_is_spoiled_meanwhile_does_not_stop_a_run(
    config: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(definitions: dg.Definitions, *arguments: Any) -> list[str]:
        config.write_text("foo: 1\nbar: 2\n", encoding="utf-8")
        return materialize(definitions, *arguments)

    monkeypatch.setattr(running, "materialize", spoil)
    made = running.run_pipeline(Pipeline(config=str(config)), instance, ["tweet_parts", "test_tweets"])
    assert [step.artifact for step in made] == [*["tweet_parts"] * 3, "test_tweets"]
    with pytest.raises(UserError, match="no such setting"):
        running.run_pipeline(Pipeline(config=str(config)), instance, ["test_tweets"])


def test_a_part_that_comes_while_a_run_begins_is_taken(
    config: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the folder that registers its parts, and the one that plans."""
    parts = config.parent / "raw" / "train"
    other = (parts / "part-00000").read_bytes().replace(b"TopLevel", b"Quote")
    monkeypatch.setattr(running, "send_unsent", lambda _: (parts / "part-00009").write_bytes(other))
    made = running.run_pipeline(Pipeline(config=str(config)), instance, ["tweet_parts"])
    assert [step.key for step in made] == ["part-00000", "part-00001", "part-00002", "part-00009"]


def test_a_backfill_and_a_command_keep_the_settings_that_they_started_with(
    config: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_pipeline(config, None, ["seed=77"])

    def spoil(definitions: dg.Definitions, *arguments: Any) -> list[str]:
        config.write_text("foo: 1\n", encoding="utf-8")
        return materialize(definitions, *arguments)

    monkeypatch.setattr(backfilling, "materialize", spoil)
    done = backfilling.backfill(Pipeline(config=str(config)), instance, "tweet_parts", ["part-00000"])
    assert done.failures == ()
    assert opened.store().settings.seed == 77


def selections(instance: dg.DagsterInstance) -> list[set[str]]:
    """The assets of each run, the first first."""
    runs = [run for run in instance.get_runs(ascending=True) if run.asset_selection]
    return [{key.to_user_string() for key in run.asset_selection or ()} for run in runs]


def test_what_was_never_made_is_made_in_one_run_up_to_the_submission(
    config: Path, instance: dg.DagsterInstance
) -> None:
    pipeline, store = Pipeline(config=str(config)), worlds.store_of(config)
    tweets, below = {"validation_tweets", "test_tweets"}, {"interaction_counts", "user_communities"}
    running.run_pipeline(pipeline, instance, {"tweet_parts", *tweets, *below})
    assert selections(instance) == [{"tweet_parts"}, tweets, {"interaction_counts"}, {"user_communities"}]
    languages = {"finetuned_encoder", "token_sketches", "emde_sketches"}
    running.run_pipeline(pipeline, instance, {"tweet_parts", *tweets, *languages})
    assert selections(instance)[4:] == [{"finetuned_encoder"}, {"token_sketches", "emde_sketches"}]
    for name in ("token_sketches", "emde_sketches"):
        shutil.rmtree(store.folder(name))
    shutil.copytree(store.folder("finetuned_encoder"), store.folder("emde_sketches"))
    running.run_pipeline(pipeline, instance, {"tweet_parts", *tweets, *languages})
    # The sketches may be the same again, and then those below them stay.
    assert selections(instance)[6:] == [{"token_sketches"}, {"emde_sketches"}]


def test_the_submission_waits_for_the_decision_whether_a_model_predicts(config: Path) -> None:
    together = list(running._together(worlds.store_of(config), ARTIFACTS))
    assert together[-1] == ["evaluation", "submission"]
    assert [name for names in together for name in names] == [name for names in SEGMENTS for name in names]
    assert together[-2][-1] == "trained_model"
    assert len(together) == 6
    assert together[0] == ["tweet_parts"]
    assert set(together[1]) == {"validation_tweets", "test_tweets"}


def test_several_mistakes_are_one_line(config: Path, instance: dg.DagsterInstance) -> None:
    graph = build_graph(Pipeline(config=str(config)))
    config.write_text("foo: 1\nbar: 2\n", encoding="utf-8")
    (line,) = materialize(graph, instance, [[Step("test_tweets", None, "asked for")]])
    assert line == f"test_tweets: {config}: foo: no such setting; {config}: bar: no such setting"


def test_a_step_that_was_asked_for_is_made_again(config: Path, instance: dg.DagsterInstance) -> None:
    tests = [Step("test_tweets", None, "asked for")]
    assert make(config, instance, PARTS, {}) == PARTS
    assert make(config, instance, tests, {}) == tests
    before = directories(config, [*PARTS, *tests])
    assert make(config, instance, PARTS, {}) == PARTS
    assert make(config, instance, tests, {}) == tests
    assert not set(before) & set(directories(config, [*PARTS, *tests]))


def test_the_second_of_two_commands_waits_and_takes_the_others_work(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first run is this test: it holds the pool of the stage until it has published."""
    monkeypatch.setenv("DAGSTER_HOME", str(config.parent))
    with open_instance() as instance:
        set_up_pools(instance)
        storage = instance.event_log_storage
        assert storage.claim_concurrency_slot("ingest", "0123456789", "test_tweets").is_claimed
        with subprocess.Popen(
            [ENGAGE, "run", "--target", "test_tweets"],
            cwd=config.parent, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as second:  # fmt: skip
            assert second.stderr is not None
            said = [next(line for line in second.stderr if "waits" in line)]
            worlds.run(config, "test_tweets")
            before = directories(config, [Step("test_tweets", None, "")])
            storage.free_concurrency_slots_for_run("0123456789")
            output, rest = second.communicate(timeout=120)
    assert "ingest: waits while run 01234567 is at work in this stage" in said[0]
    assert "test_tweets: made by another run meanwhile" in rest
    assert (second.returncode, output) == (0, "up to date: test_tweets\n")
    assert directories(config, [Step("test_tweets", None, "")]) == before
