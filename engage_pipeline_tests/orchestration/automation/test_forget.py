"""`engage forget` and its job on a finished world: no deleted id stays in any artifact, and what is made again is as if
the rows had never been there."""

import os
import random
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from engage_pipeline import schema
from engage_pipeline.catalogue import ARTIFACTS, Stage
from engage_pipeline.commands.status_table import read_status, status_table
from engage_pipeline.definitions import build_definitions
from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.ingest.deletions.forgetting import INGESTED
from engage_pipeline.orchestration.automation.forget import COUNTED, ForgetOutcome, forget
from engage_pipeline.orchestration.checks.deletions import CHECK
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline.orchestration.running import run_pipeline
from engage_pipeline.store.deletion_ledger import predating
from engage_pipeline.store.manifests import label
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.submission.predict import predict
from engage_pipeline_tests import worlds
from engage_pipeline_tests.dying import dying_engage
from engage_pipeline_tests.traces import traces

pytestmark = pytest.mark.long
ENGAGE = str(Path(sys.executable).with_name("engage"))
TWEET, AUTHOR, VIEWER = (
    schema.COLUMN_NAMES.index(name) for name in ("tweet_id", "engaged_with_user_id", "engaging_user_id")
)
MODELS = {name for name, artifact in ARTIFACTS.items() if artifact.stage in {Stage.LANGUAGE, Stage.MODEL}}
UNTOUCHED = "part-00002"


@dataclass(frozen=True)
class Lists:
    tweets: frozenset[str]
    users: frozenset[str]

    @property
    def ids(self) -> set[str]:
        return {*self.tweets, *self.users}

    def hit(self, line: bytes) -> bool:
        row = values(line)
        return row[TWEET] in self.tweets or row[AUTHOR] in self.users or row[VIEWER] in self.users


def values(line: bytes) -> list[str]:
    return line.decode().split(schema.FIELD_SEPARATOR)


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().removesuffix(b"\n").split(b"\n")


def raw_parts(world: Path) -> list[Path]:
    return sorted((world / "raw").glob("*/part-*"))


def delete(world: Path, seed: int = 1) -> Lists:
    """Lists of ids drawn from every raw part but UNTOUCHED, none of which occurs in that one."""
    rng = random.Random(seed)
    spared = {value for line in lines_of(world / "raw" / "train" / UNTOUCHED) for value in values(line)}
    tweets, users = set(), set()
    for path in raw_parts(world):
        rows = [row for row in map(values, lines_of(path)) if not {row[TWEET], row[AUTHOR], row[VIEWER]} & spared]
        for row in rng.sample(rows, min(len(rows), 3)):
            tweets.add(row[TWEET])
        for row in rng.sample(rows, min(len(rows), 2)):
            users |= {row[AUTHOR], row[VIEWER]}
    folder = world / "deletions"
    folder.mkdir()
    (folder / "tweets.txt").write_text("\n".join(sorted(tweets)), encoding="ascii")
    (folder / "users-2021.txt").write_text("\r\n".join(sorted(users)), encoding="ascii")
    worlds.write_config(world, deletions="deletions", promotion={"tolerance": 1000.0})
    return Lists(frozenset(tweets), frozenset(users))


def store_of(world: Path) -> ArtifactStore:
    return worlds.store_of(world / "config.yaml")


def forgotten_in(world: Path) -> ForgetOutcome:
    return forget(Pipeline(config=str(world / "config.yaml")), dg.DagsterInstance.ephemeral())


def versions(world: Path, names: tuple[str, ...] = (*INGESTED, *COUNTED)) -> dict[str, str]:
    store = store_of(world)
    manifests = {label(name, key): store.manifest(name, key) for name in names for key in store.keys_on_disk(name)}
    return {name: manifest.version for name, manifest in manifests.items() if manifest}


@dataclass(frozen=True)
class Done:
    world: Path
    lists: Lists
    instance: dg.DagsterInstance
    result: dg.ExecuteInProcessResult
    before: dict[str, str]


@pytest.fixture(scope="module")
def done(finished_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """A finished world after the job `forget`. Shared: copy it before changing anything."""
    world = tmp_path_factory.mktemp("forgotten") / "world"
    worlds.copy_world(finished_world, world)
    lists, before = delete(world), versions(world)
    assert traces(world / "data", lists.ids)
    instance = dg.DagsterInstance.ephemeral()
    job = build_definitions(Pipeline(config=str(world / "config.yaml"))).resolve_job_def("forget")
    result = job.execute_in_process(instance=instance)
    assert result.success
    return Done(world, lists, instance, result, before)


def test_no_deleted_id_stays_in_any_file(done: Done) -> None:
    assert traces(done.world / "data", done.lists.ids) == {}


def test_the_model_reads_the_counters_of_now(done: Done, tmp_path: Path) -> None:
    """Those it was promoted with count deleted rows, and are gone."""
    store = store_of(done.world)
    assert store.kept("interaction_counts") == []
    counted = store.open("interaction_counts").manifest.version
    assert counted != done.before["interaction_counts"]
    assert store.open("trained_model").manifest.facts["counters"]["interaction_counts"] == counted
    report = predict([store.settings.test_data], tmp_path / "results.csv", store.settings, threads=1)
    assert report.rows == len(lines_of(done.world / "raw" / "test" / "part-00000"))


@pytest.mark.long
def test_all_is_as_if_made_of_raw_parts_without_the_rows(done: Done, tmp_path: Path) -> None:
    shutil.copytree(done.world / "raw", tmp_path / "raw")
    for path in raw_parts(tmp_path):
        path.write_bytes(b"\n".join(b"" if done.lists.hit(line) else line for line in lines_of(path)) + b"\n")
    config = worlds.write_config(tmp_path)
    run_pipeline(Pipeline(config=str(config)), dg.DagsterInstance.ephemeral(), (*INGESTED, *COUNTED))
    assert versions(done.world) == versions(tmp_path)


def test_a_part_without_deleted_rows_keeps_its_version(done: Done) -> None:
    after = versions(done.world)
    assert {name for name in after if name.startswith("tweet") and after[name] == done.before[name]} == {
        f"tweet_parts/{UNTOUCHED}"
    }


def test_only_what_is_trained_predates_and_the_table_says_so(done: Done) -> None:
    dates = predating(store_of(done.world))
    assert set(dates) == {*MODELS, "submission"}
    table = status_table(read_status(store_of(done.world))).splitlines()[1:]
    said = {line.split()[0] for line in table if "predates a deletion of 20" in line}
    assert said == set(dates)
    assert not [line for line in table if "not applied yet" in line]


def test_dagster_is_told_of_the_rewritten_parts(done: Done) -> None:
    rewritten = {
        (event.materialization.asset_key.to_user_string(), event.materialization.partition)
        for event in done.result.all_events
        if event.is_step_materialization
        for event in [event.step_materialization_data]
    }
    assert rewritten == {
        ("tweet_parts", "part-00000"),
        ("tweet_parts", "part-00001"),
        ("validation_tweets", None),
        ("test_tweets", None),
    }
    told = done.instance.get_latest_materialization_event(dg.AssetKey("validation_tweets"))
    assert told
    assert told.asset_materialization
    assert told.asset_materialization.tags["dagster/data_version"] == versions(done.world)["validation_tweets"]


def checks(instance: dg.DagsterInstance) -> dict[str, bool]:
    """What the latest check of each asset says in the UI."""
    found = {}
    for name in ARTIFACTS:
        key = dg.AssetCheckKey(dg.AssetKey(name), CHECK)
        records = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
        if records and records[0].event and records[0].event.dagster_event:
            found[name] = records[0].event.dagster_event.asset_check_evaluation_data.passed
    return found


def test_dagster_shows_what_predates_without_making_it_again(done: Done) -> None:
    dates = predating(store_of(done.world))
    assert checks(done.instance) == {name: name not in dates for name in ARTIFACTS}


@pytest.mark.long
def test_the_next_training_clears_what_predates(done: Done, tmp_path: Path) -> None:
    world = tmp_path / "world"
    shutil.copytree(done.world, world)
    instance = dg.DagsterInstance.ephemeral()
    worlds.run(world / "config.yaml", instance=instance)
    assert predating(store_of(world)) == {}
    assert all(line.endswith("current") for line in status_table(read_status(store_of(world))).splitlines()[1:])
    assert all(checks(instance).values())
    assert traces(world / "data", done.lists.ids) == {}
    assert versions(world) == versions(done.world)


def without(world: Path, *stages: str) -> Path:
    """As if the stages had never been run, which saves their time."""
    for stage in stages:
        shutil.rmtree(world / "data" / stage)
    return world


@pytest.mark.long
def test_killed_in_the_middle_it_goes_on(done: Done, world: Path) -> None:
    others = [f"interactions/{name}" for name in COUNTED if name != "validation_counts"]
    without(world, "language", "model", "submission", *others)
    delete(world)
    arguments = ["forget", "--config", str(world / "config.yaml")]
    environment = {**os.environ, "DAGSTER_HOME": str(world)}
    folder = world / "data" / "interactions" / "validation_counts"
    dying = dying_engage("open", f"{folder}/.tmp-*/*", *arguments)
    killed = subprocess.run(dying, env=environment, check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(list(folder.glob(".tmp-*"))) == 1
    assert traces(world / "data", done.lists.ids)
    assert set(predating(store_of(world))) == {"validation_counts"}
    command = [ENGAGE, *arguments]
    finished = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert traces(world / "data", done.lists.ids) == {}
    assert versions(world).items() <= versions(done.world).items()
    assert predating(store_of(world)) == {}
    hits = {str(path): sum(map(done.lists.hit, lines_of(path))) for path in raw_parts(world)}
    for path, count in hits.items():
        assert (f"{path}: {count:,} line" in finished.stdout) == bool(count)


def test_what_can_not_be_made_again_is_removed(done: Done, world: Path) -> None:
    delete(world)
    (store_of(world).folder("trained_model") / "manifest.json").unlink()
    (world / "raw" / "train" / "part-00001").unlink()
    outcome = forgotten_in(world)
    assert outcome.problems == []
    assert [text.split()[0] for text in outcome.removed] == [
        "interaction_features/part-00001",
        "evaluation",
        "submission",
    ]
    assert traces(world / "data", done.lists.ids) == {}


def test_what_was_never_made_is_not_made(world: Path) -> None:
    lists = delete(without(world, "language", "model", "submission", "interactions"))
    outcome = forgotten_in(world)
    assert (outcome.problems, outcome.made, outcome.removed) == ([], [], [])
    assert traces(world / "data", lists.ids) == {}


def test_two_do_not_forget_at_once(world: Path) -> None:
    delete(world)
    lock = world / "data" / "deletions" / ".forget.lock"
    lock.parent.mkdir()
    with atomic.exclusive(lock, "held"), pytest.raises(UserError, match="another run is forgetting"):
        forgotten_in(world)


def test_a_bad_list_is_named_before_anything_is_changed(world: Path) -> None:
    delete(world)
    before = versions(world)
    (world / "deletions" / "users-b").write_text("one\0two", encoding="ascii")
    with pytest.raises(UserError, match=r"users-b: line 1: 'one\\x00two' is not one id"):
        forgotten_in(world)
    assert versions(world) == before


def test_with_a_damaged_part_the_status_is_1_and_the_line_names_it(world: Path) -> None:
    delete(without(world, "language", "model", "submission", "interactions"))
    part = store_of(world).open("tweet_parts", "part-00000").path("tweets.parquet")
    part.write_bytes(part.read_bytes()[:-1])
    command = [ENGAGE, "forget", "--config", str(world / "config.yaml")]
    environment = {**os.environ, "DAGSTER_HOME": str(world)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("engage: ")]
    assert line.startswith(f"engage: not all is forgotten: {part}: damaged: ")
    assert "tweet_parts/part-00001: " in done.stdout
