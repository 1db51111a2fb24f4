"""`engage forget` on a finished world: no deleted id stays in any artifact, and what follows is as if made anew."""

import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from engage_pipeline import schema
from engage_pipeline.artifacts import ArtifactStore
from engage_pipeline.automation.forget import Outcome, forget
from engage_pipeline.catalogue import ARTIFACTS, Stage
from engage_pipeline.manifests import label
from engage_pipeline.resources import Pipeline
from engage_pipeline.rewriting import keys_on_disk
from engage_pipeline.running import run_pipeline
from engage_pipeline_tests import worlds
from engage_pipeline_tests.traces import traces

pytestmark = pytest.mark.slow
TWEET, AUTHOR, VIEWER = (
    schema.COLUMN_NAMES.index(name) for name in ("tweet_id", "engaged_with_user_id", "engaging_user_id")
)
REFRESHED = (Stage.INGEST, Stage.INTERACTIONS)


@dataclass(frozen=True)
class Lists:
    tweets: set[str]
    users: set[str]

    @property
    def ids(self) -> set[str]:
        return self.tweets | self.users

    def hit(self, line: bytes) -> bool:
        fields = line.decode().split(schema.FIELD_SEPARATOR)
        return fields[TWEET] in self.tweets or bool({fields[AUTHOR], fields[VIEWER]} & self.users)

    def write(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "tweets.txt").write_text("\n".join(sorted(self.tweets)), encoding="ascii")
        (folder / "users.txt").write_text("\n".join(sorted(self.users)), encoding="ascii")


def configured(world: Path) -> Path:
    return worlds.write_config(world, deletions="deletions")


def raw_parts(world: Path) -> list[Path]:
    return sorted((world / "raw").glob("*/part-*"))


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().removesuffix(b"\n").split(b"\n")


def drawn(world: Path, seed: int, tweets: int = 12, users: int = 5, parts: str = "*") -> Lists:
    """Ids that occur in the raw parts."""
    rng = random.Random(seed)
    rows = [line.decode().split(schema.FIELD_SEPARATOR) for path in raw_parts(world) for line in lines_of(path)]
    return Lists(
        set(rng.sample(sorted({row[TWEET] for row in rows}), tweets)),
        set(rng.sample(sorted({row[AUTHOR] for row in rows}), users // 2))
        | set(rng.sample(sorted({row[VIEWER] for row in rows}), users - users // 2)),
    )


def forgotten(config: Path, instance: dg.DagsterInstance | None = None) -> Outcome:
    return forget(Pipeline(config=str(config)), instance or dg.DagsterInstance.ephemeral())


def versions(store: ArtifactStore, stages: tuple[Stage, ...] = REFRESHED) -> dict[str, str]:
    found = {}
    for name, artifact in ARTIFACTS.items():
        if artifact.stage in stages:
            for key in keys_on_disk(store, name):
                manifest = store.manifest(name, key)
                assert manifest
                found[label(name, key)] = manifest.version
    return found


def made_from_scratch(world: Path, lists: Lists, folder: Path) -> ArtifactStore:
    """A run over raw parts whose deleted lines were blanked, so that the others keep their numbers."""
    folder.mkdir()
    shutil.copytree(world / "raw", folder / "raw")
    for path in raw_parts(folder):
        path.write_bytes(b"\n".join(b"" if lists.hit(line) else line for line in lines_of(path)) + b"\n")
    config = worlds.write_config(folder)
    wanted = [name for name, artifact in ARTIFACTS.items() if artifact.stage in REFRESHED]
    run_pipeline(Pipeline(config=str(config)), dg.DagsterInstance.ephemeral(), wanted)
    return worlds.store_of(config)


@pytest.mark.parametrize("seed", [1, 2])
def test_no_deleted_id_stays_and_all_is_as_if_made_without_the_rows(world: Path, tmp_path: Path, seed: int) -> None:
    lists, config = drawn(world, seed), configured(world)
    assert traces(world / "data", lists.ids)
    lists.write(world / "deletions")
    outcome = forgotten(config)
    assert outcome.problems == []
    assert traces(world / "data", lists.ids) == {}
    store = worlds.store_of(config)
    assert versions(store) == versions(made_from_scratch(world, lists, tmp_path / "scratch"))
    hits = {str(path): sum(map(lists.hit, lines_of(path))) for path in raw_parts(world)}
    assert outcome.raw_files == {path: count for path, count in hits.items() if count}
