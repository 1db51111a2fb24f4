"""A whole tiny world in a bucket: machines that share nothing else read, predict, make, forget, roll back."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.store.deletion_ledger import predating
from engage_pipeline.store.manifests import Manifest, label
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests import worlds
from engage_pipeline_tests.object_store import Bucket, forget_connections
from engage_pipeline_tests.orchestration.automation.test_forget import UNTOUCHED, delete
from engage_pipeline_tests.stores import S3
from engage_pipeline_tests.traces import traces

pytestmark = pytest.mark.long
ENGAGE = [sys.executable, "-c", "from engage_pipeline.cli import main; main()"]


@dataclass(frozen=True)
class Site:
    """Machines below `folder`, each with its raw parts and settings, and the bucket that they share."""

    folder: Path
    bucket: Bucket
    raw: Path

    def machine(self, name: str) -> Path:
        """The folder of a machine, made if it is not there: raw parts and settings, and an empty working directory."""
        folder = self.folder / name
        if not folder.exists():
            folder.mkdir()
            shutil.copytree(self.raw, folder / "raw")
            shutil.copy(worlds.REPOSITORY / "dagster.yaml", folder)
            worlds.write_config(folder, mirror=f"{self.bucket.uri}/engage")
        return folder

    def engage(self, name: str, *arguments: str) -> str:
        """What the command says on stdout there, in a process of its own."""
        folder = self.machine(name)
        done = subprocess.run([*ENGAGE, *arguments], capture_output=True, text=True, check=False, cwd=folder)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def store(self, name: str) -> ArtifactStore:
        """The store there, as it is."""
        return worlds.store_of(self.machine(name) / "config.yaml")


@contextmanager
def sent_world(world: Path, url: str, folder: Path) -> Iterator[Site]:
    """A site below `folder` whose machine `one` has a finished world and has sent it."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in S3.environment(url).items():
            patched.setenv(name, value)
        forget_connections()
        site = Site(folder, Bucket(url, f"bucket-{uuid4().hex[:12]}"), world / "raw")
        worlds.copy_world(world, folder / "one")
        worlds.write_config(folder / "one", mirror=f"{site.bucket.uri}/engage")
        assert site.engage("one", "run").startswith("everything is up to date")
        yield site
        forget_connections()


@pytest.fixture(scope="module")
def site(finished_world: Path, s3_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site of all tests of this module that publish nothing new."""
    with sent_world(finished_world, s3_url, tmp_path_factory.mktemp("site")) as site:
        yield site


def manifests(store: ArtifactStore) -> dict[str, Manifest | None]:
    """The current manifest of every artifact and part."""
    return {
        label(name, key): store.manifest(name, key)
        for name, artifact in ARTIFACTS.items()
        for key in (store.parts() if artifact.partitioned else [None])
    }


def files_here(store: ArtifactStore) -> set[str]:
    """The artifacts and parts of which there are files on the machine."""
    version = f"{'[0-9a-f]' * 16}-{'[0-9a-f]' * 6}"
    found = {path.parent.parent for path in store.root.glob(f"*/*/**/{version}/*")}
    return {"/".join(path.relative_to(store.root).parts[1:]) for path in found}


def test_a_second_machine_has_nothing_to_make(site: Site) -> None:
    assert site.engage("two", "run").startswith("everything is up to date")
    one, two = site.store("one"), site.store("two")
    assert manifests(two) == manifests(one)
    states = json.loads(site.engage("two", "status", "--json"))["artifacts"]
    assert {state["artifact"]: state["reason"] for state in states if not state["current"]} == {}
    assert len(states) == len(manifests(one))


def test_it_predicts_the_same_bytes_from_the_files_that_it_needs(site: Site) -> None:
    for name in ("one", "three"):
        site.engage(name, "predict", "--input", "raw/test", "--output", "results.csv")
    results = [(site.machine(name) / "results.csv").read_bytes() for name in ("one", "three")]
    assert results[0] == results[1]
    assert files_here(site.store("three")) == {
        "trained_model",
        "interaction_counts",
        "author_similarity",
        "validation_counts",
    }


def test_paths_of_every_artifact_hold_the_same_bytes(site: Site) -> None:
    one, two = site.store("one"), site.store("two")
    for name in ARTIFACTS:
        folders = [Path(line) for line in site.engage("two", "path", name, "--verify").splitlines()]
        assert folders
        for folder in folders:
            assert folder.is_relative_to(two.root)
            there = one.root / folder.relative_to(two.root)
            assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
                path.name: path.read_bytes() for path in there.iterdir()
            }
    site.engage("two", "status")
    assert (two.root / "latest" / "results.csv").read_bytes() == (one.root / "latest" / "results.csv").read_bytes()


STEP = """
import dagster as dg, sys
from engage_pipeline.orchestration.graph import build_graph
from engage_pipeline.orchestration.resources import Pipeline
job = build_graph(Pipeline(config="config.yaml")).resolve_implicit_global_asset_job_def()
done = job.execute_in_process(asset_selection=[dg.AssetKey(sys.argv[1])])
assert done.success
"""


def test_a_step_in_an_empty_volume_fetches_its_own_inputs_alone(site: Site) -> None:
    folder = site.machine("pod")
    subprocess.run([sys.executable, "-c", STEP, "engagement_trees"], check=True, cwd=folder, capture_output=True)
    pod, one = site.store("pod"), site.store("one")
    made = pod.manifest("engagement_trees")
    before = one.manifest("engagement_trees")
    assert made is not None
    assert before is not None
    assert made.version == before.version, "the same bytes"
    assert made.directory != before.directory
    wanted = {"engagement_trees", *ARTIFACTS["engagement_trees"].inputs}
    assert {name.partition("/")[0] for name in files_here(pod)} == wanted
    assert site.engage("one", "run").startswith("everything is up to date")
    assert manifests(site.store("one")) == manifests(pod)


def fetched(bucket: Bucket, folder: Path) -> Path:
    """All objects of a bucket as files below `folder`."""
    for key in bucket.all_keys():
        if not key.endswith("/"):
            (folder / key).parent.mkdir(parents=True, exist_ok=True)
            (folder / key).write_bytes(bucket.get(key))
    return folder


def test_who_is_forgotten_leaves_the_mirror_and_the_other_machines(
    finished_world: Path, s3_url: str, tmp_path: Path
) -> None:
    with sent_world(finished_world, s3_url, tmp_path) as site:
        one, two = site.machine("one"), site.machine("two")
        lists = delete(one)
        values = {"mirror": f"{site.bucket.uri}/engage", "promotion": {"tolerance": 1000.0}}
        for folder in (one, two):
            worlds.write_config(folder, deletions="deletions", **values)
        for name in ("tweet_parts", "interaction_counts", "interaction_features", "submission"):
            site.engage("two", "path", name, "--verify")
        assert traces(two / "data", lists.ids)
        assert traces(fetched(site.bucket, tmp_path / "before"), lists.ids)
        # Two killed machines sent these before their commits.
        for place in (f"tweet_parts/{UNTOUCHED}", "tweet_parts/part-00009", "test_tweets"):
            site.bucket.put(f"engage/ingest/{place}/{'0' * 16}-{'0' * 6}/x", "\n".join(lists.ids).encode())
        site.engage("one", "forget")
        assert traces(fetched(site.bucket, tmp_path / "after"), lists.ids) == {}
        site.engage("two", "status")
        assert traces(two / "data", lists.ids) == {}
        assert predating(site.store("two")) == predating(site.store("one")) != {}
        assert manifests(site.store("two")) == manifests(site.store("one"))
