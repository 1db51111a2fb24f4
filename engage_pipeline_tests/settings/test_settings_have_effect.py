"""Every setting of the reference is honoured: each is changed, and what it governs is seen to change."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from engage_pipeline import schema
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests import worlds

pytestmark = pytest.mark.long

Seen = Callable[[ArtifactStore], Any]


def version(artifact: str) -> Seen:
    """The content of an artifact, by its hash."""
    return lambda store: store.open(artifact).manifest.version


def fact(artifact: str, name: str) -> Seen:
    return lambda store: store.open(artifact).manifest.facts[name]


def weights(artifact: str, file: str, name: str) -> Seen:
    """Shape of one of the tensors of an artifact."""
    return lambda store: load_file(store.open(artifact).path(file))[name].shape


def column(artifact: str, file: str, name: str) -> Seen:
    return lambda store: pq.read_table(store.open(artifact).path(file))[name].to_numpy()


def most_similar(store: ArtifactStore) -> int:
    ranks = column("author_similarity", "similar_authors.parquet", "rank")(store)
    return int(ranks.max()) + 1


def least_similarity(store: ArtifactStore) -> bool:
    return bool(column("author_similarity", "similar_authors.parquet", "jaccard")(store).min() >= 0.3)


def held_out(store: ArtifactStore) -> float:
    split = column("validation_tweets", "tweets.parquet", schema.SPLIT)(store)
    return round(float((split == schema.HOLDOUT).mean()), 1)


def chunks(store: ArtifactStore) -> int:
    return int(column("validation_tweets", "tweets.parquet", schema.SPLIT)(store).max()) + 1


def codes(store: ArtifactStore) -> Any:
    return pq.read_table(store.open("emde_sketches").path("codes.parquet"))["codes"].combine_chunks()


def depth(store: ArtifactStore) -> int:
    return codes(store).type.list_size


def widest(store: ArtifactStore) -> bool:
    return codes(store).flatten().to_numpy().max() < 8


CASES: dict[str, tuple[dict[str, Any], str, Seen, Any]] = {
    # setting: (its new value, the target that shows it, what is looked at, what it must be; ... = only different)
    "max_n_parts": ({"max_n_parts": 2}, "interaction_counts", fact("interaction_counts", "rows"), 2033),
    "max_n_parts_in_memory": ({"max_n_parts_in_memory": 1}, "pretrained_network", version("pretrained_network"), ...),
    "authors_similarity_top_N": ({"authors_similarity_top_N": 3}, "author_similarity", most_similar, 2),
    "authors_similarity_threshold": (
        {"authors_similarity_threshold": 0.3},
        "author_similarity",
        least_similarity,
        True,
    ),
    "validation_percentage": ({"validation_percentage": 0.5}, "validation_tweets", held_out, 0.5),
    "num_validation_chunks": ({"num_validation_chunks": 4}, "validation_tweets", chunks, 4),
    "sketch_width": ({"sketch_width": 8}, "emde_sketches", widest, True),
    "sketch_depth": ({"sketch_depth": 3}, "emde_sketches", depth, 3),
    "encoder.parts": ({"encoder": {"parts": 2, "max_tweets": None}}, "token_sketches", version("token_sketches"), ...),
    "encoder.epochs": ({"encoder": {"epochs": 2}}, "finetuned_encoder", fact("finetuned_encoder", "steps"), 8),
    "encoder.max_tokens": ({"encoder": {"max_tokens": 6}}, "token_sketches", version("token_sketches"), ...),
    "encoder.batch_size": ({"encoder": {"batch_size": 98}}, "finetuned_encoder", fact("finetuned_encoder", "steps"), 2),
    "encoder.save_steps": (
        {"encoder": {"save_steps": 2}},
        "finetuned_encoder",
        fact("finetuned_encoder", "checkpoints"),
        [2, 4],
    ),
    "encoder.checkpoint": (
        {"encoder": {"save_steps": 2, "checkpoint": 2}},
        "token_sketches",
        version("token_sketches"),
        ...,
    ),
    "network.hidden_size": (
        {"network": {"hidden_size": 24}},
        "pretrained_network",
        weights("pretrained_network", "network.safetensors", "norm1.weight"),
        (3 * 24,),
    ),
    "network.batch_size": (
        {"network": {"batch_size": 128}},
        "pretrained_network",
        fact("pretrained_network", "steps"),
        ...,
    ),
    "network.learning_rate": (
        {"network": {"learning_rate": 0.01}},
        "pretrained_network",
        version("pretrained_network"),
        ...,
    ),
    "network.decay_per_day": (
        {"network": {"decay_per_day": 0.5, "schedule": "days"}},
        "pretrained_network",
        version("pretrained_network"),
        ...,
    ),
    "network.finetuning_decay": (
        {"network": {"finetuning_decay": 0.1}},
        "finetuned_network",
        version("finetuned_network"),
        ...,
    ),
    "network.finetuning_epochs": (
        {"network": {"finetuning_epochs": 3}},
        "finetuned_network",
        fact("finetuned_network", "steps"),
        ...,
    ),
}


BEFORE: dict[str, dict[str, Any]] = {
    "encoder.parts": {"encoder": {"max_tweets": None}},
    "encoder.checkpoint": {"encoder": {"save_steps": 2}},
    "network.decay_per_day": {"network": {"schedule": "days"}},
}
"""Other settings that a case needs, so that it differs in its own setting alone."""


@pytest.mark.parametrize("setting", CASES)
def test_a_setting_of_the_reference_changes_what_it_governs(world: Path, setting: str) -> None:
    values, target, seen, expected = CASES[setting]
    if setting in BEFORE:
        worlds.run(worlds.write_config(world, **BEFORE[setting]), target)
    before = seen(worlds.store_of(world / "config.yaml"))
    config = worlds.write_config(world, **values)
    worlds.run(config, target)
    after = seen(worlds.store_of(config))
    assert after != before
    assert expected is ... or after == expected


def test_the_three_places_of_the_reference_are_taken_from_the_settings(world: Path, tmp_path: Path) -> None:
    shutil.move(world / "raw" / "train", world / "elsewhere")
    shutil.move(world / "raw" / "validation" / "part-00000", world / "validation")
    config = worlds.write_config(
        world,
        working_dir=str(tmp_path / "artifacts"),
        recsys_data="elsewhere",
        validation_part="validation",
    )
    worlds.run(config, "validation_features")
    store = worlds.store_of(config)
    assert store.root == tmp_path / "artifacts"
    assert store.parts() == ["part-00000", "part-00001", "part-00002"]
    assert store.open("validation_features").manifest.rows == store.open("validation_tweets").manifest.rows
