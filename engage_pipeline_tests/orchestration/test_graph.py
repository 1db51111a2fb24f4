"""What Dagster's UI calls out of date is what `engage status` calls stale, in a real instance."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from engage_pipeline.catalogue import ARTIFACTS, shown_version
from engage_pipeline.orchestration.graph import build_graph
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.plan import raw_sources
from engage_pipeline_tests import worlds

TARGET = "test_features"
"""Its ancestors are parts, counters and similar authors: no model is trained."""
MADE = ("tweet_parts", "validation_tweets", "test_tweets", "interaction_counts", "author_similarity")
MADE += ("validation_counts", TARGET)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    home = tmp_path / "home"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        yield instance


def by_dagster(config: Path, instance: dg.DagsterInstance, names: Sequence[str] = MADE) -> set[str]:
    """Those of `names` that the UI shows as out of date or missing; an asset with parts if one of its parts is."""
    graph = build_graph(Pipeline(config=str(config))).get_repository_def().asset_graph
    resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
    keys = {name: worlds.store_of(config).parts() if ARTIFACTS[name].partitioned else [None] for name in names}
    return {
        name
        for name, parts in keys.items()
        for part in parts
        if resolver.get_status(dg.AssetKey(name), part) is not StaleStatus.FRESH
    }


def by_status(config: Path, names: Sequence[str] = MADE) -> set[str]:
    """Those of `names` that `engage status` calls stale."""
    store = worlds.store_of(config)
    keys = {name: store.parts() if ARTIFACTS[name].partitioned else [None] for name in names}
    return {
        name
        for name, parts in keys.items()
        for part in parts
        if store.stale(name, part, raw_sources(store.settings, name, part))
    }


@pytest.mark.long
def test_the_ui_and_status_call_the_same_stale(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = worlds.make_world(tmp_path)
    worlds.run(config, TARGET, instance)
    assert by_dagster(config, instance) == by_status(config) == set()

    worlds.write_config(tmp_path, authors_similarity_threshold=0.3)
    assert by_dagster(config, instance) == by_status(config) == {"author_similarity", TARGET}
    worlds.run(config, "author_similarity", instance)
    assert by_dagster(config, instance) == by_status(config) == {TARGET}
    worlds.run(config, TARGET, instance)
    assert by_dagster(config, instance) == by_status(config) == set()

    raised = replace(ARTIFACTS["interaction_counts"], code_version="raised")
    monkeypatch.setitem(ARTIFACTS, "interaction_counts", raised)
    assert by_dagster(config, instance) == by_status(config) == {"interaction_counts"}
    worlds.run(config, TARGET, instance)  # with the same content: nothing below it is made again
    assert by_dagster(config, instance) == by_status(config) == set()


@pytest.mark.long
def test_who_reads_some_parts_is_stale_once_it_reads_others(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    names = ("tweet_parts", "finetuned_encoder", "token_sketches", "emde_sketches", "tweet_topics")
    config = worlds.make_world(tmp_path)
    for name in names[-2:]:
        worlds.run(config, name, instance)
    assert by_dagster(config, instance, names) == by_status(config, names) == set()
    for parts in (3, 2):
        worlds.write_config(tmp_path, encoder={"parts": parts})
        assert by_dagster(config, instance, names) == by_status(config, names) == set(names[1:])
        for name in names[-2:]:
            worlds.run(config, name, instance)
        assert by_dagster(config, instance, names) == by_status(config, names) == set()


def settings(**values: Any) -> Settings:
    return Settings.model_validate(values)


def test_a_setting_that_is_its_default_leaves_the_version_alone() -> None:
    default = shown_version("engagement_trees", Settings())
    assert default == ARTIFACTS["engagement_trees"].code_version
    assert shown_version("engagement_trees", settings(trees={"n_estimators": Settings().trees.n_estimators})) == default
    assert shown_version("engagement_trees", settings(checks={"drift_psi": 0.5}, owners=["team:a"])) == default


@pytest.mark.parametrize("values", [{"trees": {"n_estimators": 7}}, {"seed": 5}, {"authors_similarity_top_N": 3}])
def test_a_setting_of_the_artifact_or_an_ancestor_changes_it(values: dict[str, Any]) -> None:
    before, after = (shown_version("engagement_trees", one) for one in (Settings(), settings(**values)))
    assert after.startswith(f"{before} ")
    assert shown_version("tweet_parts", settings(**values)) == shown_version("tweet_parts", Settings())
