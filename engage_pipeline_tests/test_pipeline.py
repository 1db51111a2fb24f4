"""The whole pipeline on a tiny world: what is made, what is not made again, and what a kill leaves behind."""

import csv
import gzip
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.catalogue import ARTIFACTS, ancestry
from engage_pipeline.language.topics import TopicModel
from engage_pipeline.model.bundle import TrainedModel
from engage_pipeline.model.effects.scoring import EffectScorer
from engage_pipeline.settings.families import COUNTER_FAMILIES, DEFAULT_FAMILIES, FAMILY_NAMES, SCORED_FILE
from engage_pipeline.settings.settings import load_settings
from engage_pipeline.store.manifests import label, read_manifest
from engage_pipeline.store.plan import Step
from engage_pipeline.store.publishing import MANIFEST
from engage_pipeline.submission.predict import predict
from engage_pipeline_tests import worlds
from engage_pipeline_tests.dying import dying_engage

pytestmark = pytest.mark.long
ENGAGE = str(Path(sys.executable).with_name("engage"))


def names(steps: list[Step]) -> list[str]:
    return [label(step.artifact, step.key) for step in steps]


def raw_lines(path: Path) -> list[list[str]]:
    text = path.read_text(encoding="utf-8").removesuffix("\n")
    return [line.split(schema.FIELD_SEPARATOR) for line in text.split("\n")]


def results(folder: Path) -> list[list[str]]:
    path = worlds.store_of(folder / "config.yaml").open("submission").path("results.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_results_have_one_line_for_every_test_row_in_order(finished_world: Path) -> None:
    rows = raw_lines(finished_world / "raw" / "test" / "part-00000")
    found = results(finished_world)
    tweet, viewer = (schema.COLUMN_NAMES.index(name) for name in ("tweet_id", "engaging_user_id"))
    assert [line[:2] for line in found] == [[row[tweet], row[viewer]] for row in rows]
    values = np.array([line[2:] for line in found], dtype=float)
    assert values.shape == (len(rows), 4)
    assert ((values > 0) & (values < 1)).all()


def test_predict_gives_what_the_asset_gave(finished_world: Path, tmp_path: Path) -> None:
    output = tmp_path / "results.csv"
    command = [ENGAGE, "predict", "--input", str(finished_world / "raw" / "test"), "--output", str(output)]
    command += ["--threads", "1", "--config", str(finished_world / "config.yaml")]
    subprocess.run(command, check=True, capture_output=True)
    with output.open(encoding="utf-8", newline="") as file:
        predicted = list(csv.reader(file))
    expected = results(finished_world)
    assert [line[:2] for line in predicted] == [line[:2] for line in expected]
    values, wanted = (np.array([line[2:] for line in lines], dtype=float) for lines in (predicted, expected))
    assert np.abs(values - wanted).max() < 1e-6


def test_a_second_run_makes_nothing(finished_world: Path) -> None:
    assert worlds.run(finished_world / "config.yaml") == []


def assert_manifests_are_as_parsed(folder: Path) -> None:
    """What is kept of those that were read: nobody may have changed it."""
    paths = list(folder.rglob(MANIFEST))
    assert len(paths) > len(ARTIFACTS)
    for path in paths:
        content = path.read_bytes()
        assert read_manifest(content, path.parent) == read_manifest.__wrapped__(content, path.parent)


def test_a_new_part_costs_its_ingest_and_the_recount(world: Path) -> None:
    worlds.run(world / "config.yaml")
    parts = world / "raw" / "train"
    (parts / "part-00009").write_bytes((parts / "part-00000").read_bytes().replace(b"TopLevel", b"Quote"))
    made = names(worlds.run(world / "config.yaml"))
    assert [name for name in made if name.startswith("tweet_parts/")] == ["tweet_parts/part-00009"]
    assert {"interaction_counts", "author_similarity", "interaction_features/part-00000"} <= set(made)
    assert not {"validation_tweets", "validation_counts", "finetuned_encoder", "emde_sketches"} & set(made)
    assert worlds.run(world / "config.yaml") == []
    assert_manifests_are_as_parsed(world)


def test_a_part_whose_time_alone_changed_is_not_read_again(world: Path) -> None:
    worlds.run(world / "config.yaml")
    (world / "raw" / "train" / "part-00000").touch()
    assert worlds.run(world / "config.yaml") == []


def test_an_asset_that_comes_out_unchanged_stops_the_recomputation(world: Path) -> None:
    part = world / "raw" / "train" / "part-00001"
    part.with_suffix(".gz").write_bytes(gzip.compress(part.read_bytes()))
    part.unlink()
    assert names(worlds.run(world / "config.yaml")) == ["tweet_parts/part-00001"]


def test_only_the_target_and_what_it_is_made_of_is_made(world: Path) -> None:
    config = worlds.write_config(world, sketch_depth=5, num_validation_chunks=7)
    assert names(worlds.run(config, "emde_sketches")) == ["emde_sketches"]


@pytest.mark.parametrize("name", ["tweet_parts", "pretrained_network"])
def test_a_kill_of_the_whole_run_loses_nothing_that_was_finished(world: Path, name: str) -> None:
    config = world / "config.yaml"
    store = worlds.store_of(config)
    key = "part-00001" if ARTIFACTS[name].partitioned else None
    folder = store.folder(name, key)
    (folder / "manifest.json").unlink()
    finished = {parent: store.manifest(parent, None) for parent in ancestry(name) if not ARTIFACTS[parent].partitioned}
    finished.pop(name, None)
    command = dying_engage("open", f"{folder}/.tmp-*/*", "run", "--config", str(config))
    environment = {**os.environ, "DAGSTER_HOME": str(world)}
    killed = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(list(folder.glob(".tmp-*"))) == 1
    assert store.manifest(name, key) is None
    made = worlds.run(config)
    assert names(made)[0] == label(name, key)
    assert all(store.manifest(parent) == before for parent, before in finished.items())
    assert not [path for path in (world / "data").rglob(".tmp-*") if path.is_dir()]
    assert worlds.run(config) == []


@pytest.mark.long
def test_topics_and_communities_are_looked_for_only_where_something_reads_them(world: Path) -> None:
    """Without effects that have such keys both assets are made of nothing, and what is above them opens them."""
    config = worlds.write_config(world, features={"families": list(COUNTER_FAMILIES)})
    worlds.run(config, "candidate_model")
    store = worlds.store_of(config)
    topics, communities = (store.open(name) for name in ("tweet_topics", "user_communities"))
    assert topics.manifest.facts["topics"] == communities.manifest.facts["communities"] == 0
    assert TopicModel.load(topics.directory()).topics == 0
    assert pq.read_metadata(communities.path("communities.parquet")).num_rows == 0
    effects = EffectScorer.load(store.open("candidate_model").directory())
    assert not effects.enabled
    assert len(effects.clusters.communities.user) == 0
    for left_out, made in (("topic_effects", (0, True)), ("community_effects", (True, True))):
        families = [name for name in FAMILY_NAMES if name != left_out]
        config = worlds.write_config(world, features={"families": families})
        found = {"tweet_topics": "topics", "user_communities": "communities"}
        for (name, fact), expected in zip(found.items(), made, strict=True):
            worlds.run(config, name)
            assert bool(worlds.store_of(config).open(name).manifest.facts[fact]) == bool(expected)


def test_the_reference_s_preset_runs_from_end_to_end(world: Path) -> None:
    config = worlds.write_config(world, preset="synerise", encoder={"model": "tiny"})
    worlds.run(config)
    store = worlds.store_of(config)
    assert store.open("engagement_trees").manifest.facts["enabled"] is False
    assert len(results(world)) == store.open("test_tweets").manifest.rows
    assert worlds.run(config) == []


def test_counts_inside_the_scored_file_are_read_by_the_asset_and_by_predict(world: Path, tmp_path: Path) -> None:
    before = results(world)
    config = worlds.write_config(world, features={"families": [*DEFAULT_FAMILIES, SCORED_FILE]})
    made = names(worlds.run(config))
    assert made == ["engagement_trees", "candidate_model", "trained_model", "evaluation", "submission"]
    predict([world / "raw" / "test"], tmp_path / "results.csv", load_settings(config), threads=1)
    with (tmp_path / "results.csv").open(encoding="utf-8", newline="") as file:
        predicted = list(csv.reader(file))
    store = worlds.store_of(config)
    held = TrainedModel.load(store.open("candidate_model"), threads=1)
    assert held.reads_scored_file
    values, wanted, old = (
        np.array([line[2:] for line in lines], float) for lines in (predicted, results(world), before)
    )
    assert np.abs(values - wanted).max() < 1e-6
    if store.open("trained_model").manifest.version == store.open("candidate_model").manifest.version:
        assert np.abs(old - wanted).max() > 1e-4
