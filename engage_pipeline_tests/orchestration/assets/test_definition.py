"""What an asset's function is given, and what becomes of the errors of a user."""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.orchestration.assets.definition import pipeline_asset
from engage_pipeline.orchestration.assets.materializing import Shown
from engage_pipeline.orchestration.partitions import PARTS
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline.store.manifests import Manifest
from engage_pipeline.store.measured import PartResult
from engage_pipeline.store.store import ArtifactStore, Draft
from engage_pipeline_tests import worlds


def materialize(asset: dg.AssetsDefinition, folder: Path, key: str | None = None) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        if key is not None:
            instance.add_dynamic_partitions(str(PARTS.name), [key])
        resources = {"pipeline": Pipeline(config=str(worlds.write_config(folder)))}
        return dg.materialize([asset], resources=resources, instance=instance, partition_key=key, raise_on_error=False)


def failure(result: dg.ExecuteInProcessResult) -> str | None:
    """What the user is told."""
    (failed,) = [event.step_failure_data for event in result.all_node_events if event.is_step_failure]
    return failed.user_failure_data.description if failed.user_failure_data else None


def drafts(store: ArtifactStore, name: str) -> list[Path]:
    return list(store.folder(name).glob(".tmp-*"))


def test_an_asset_fills_its_draft_and_tells_what_to_show(tmp_path: Path) -> None:
    def emde_sketches(store: ArtifactStore, draft: Draft, before: list[Path]) -> Shown:
        """Codes."""
        assert before == []
        assert drafts(store, "emde_sketches") == [draft.directory]
        draft.path("codes").write_text("1", encoding="utf-8")
        return {"shown": "in words"}

    result = materialize(pipeline_asset(kinds={"numpy"}, prepare=drafts)(emde_sketches), tmp_path)
    assert result.success
    (made,) = result.asset_materializations_for_node("emde_sketches")
    version = worlds.store_of(tmp_path / "config.yaml").open("emde_sketches")
    assert version.path("codes").read_text(encoding="utf-8") == "1"
    assert made.metadata["shown"].value == "in words"
    assert made.metadata["version"].value == version.manifest.version


@pytest.mark.parametrize("moment", ["before the draft", "in the draft"])
def test_a_user_error_fails_the_step_in_its_own_words(tmp_path: Path, moment: str) -> None:
    def prepare(store: ArtifactStore, name: str) -> None:
        if moment == "before the draft":
            raise UserError(f"{name}: not there")

    def emde_sketches(store: ArtifactStore, draft: Draft, before: None) -> None:
        """Codes."""
        raise UserError("emde_sketches: not there")

    result = materialize(pipeline_asset(kinds={"numpy"}, prepare=prepare)(emde_sketches), tmp_path)
    assert failure(result) == "emde_sketches: not there"
    store = worlds.store_of(tmp_path / "config.yaml")
    assert store.manifest("emde_sketches") is None
    assert drafts(store, "emde_sketches") == []


def test_an_error_of_the_program_keeps_its_trace(tmp_path: Path) -> None:
    def emde_sketches(store: ArtifactStore, draft: Draft) -> None:
        """Codes."""
        raise ZeroDivisionError

    assert failure(materialize(pipeline_asset(kinds={"numpy"})(emde_sketches), tmp_path)) is None


@pytest.mark.parametrize(("key", "given"), [("part-00000", ["part-00000"]), ("not/a-part", [])])
def test_a_part_that_can_not_be_made_is_named(tmp_path: Path, key: str, given: list[str]) -> None:
    asked: list[str] = []

    def show(store: ArtifactStore, manifest: Manifest) -> Shown:
        raise AssertionError("nothing is published")

    def tweet_parts(store: ArtifactStore, keys: Sequence[str]) -> dict[str, PartResult]:
        """Tweets."""
        asked.extend(keys)
        return {one: UserError("too many bad lines") for one in keys}

    result = materialize(pipeline_asset(kinds={"duckdb"}, show=show)(tweet_parts), tmp_path, key)
    assert asked == given
    told = failure(result)
    assert told is not None
    assert told.startswith(f"{key}: ")
    assert ("too many bad lines" in told) == bool(given)
