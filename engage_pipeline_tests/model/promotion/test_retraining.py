"""What counts as a change of the training parts."""

import shutil
from pathlib import Path

from engage_pipeline.model.promotion.retraining import (
    PartChanges,
    candidate_waits,
    changes_since_training,
    part_changes,
)
from engage_pipeline_tests import worlds


def test_added_changed_and_removed_parts_are_told_apart() -> None:
    changes = part_changes({"a": "1", "b": "1", "c": "1"}, {"b": "1", "c": "2", "d": None, "e": "1"})
    assert changes == PartChanges(added=("d", "e"), changed=("c",), removed=("a",))
    assert str(changes) == "2 parts added (d, e), 1 changed (c), 1 removed (a)"
    assert changes


def test_nothing_has_changed() -> None:
    changes = part_changes({"a": "1"}, {"a": "1"})
    assert not changes
    assert str(changes) == "no part changed"


def test_long_lists_are_cut() -> None:
    assert str(part_changes({}, dict.fromkeys("abcdefg", "1"))) == "7 parts added (a, b, c, d, e and 2 more)"


def test_without_a_model_nothing_can_be_told(tmp_path: Path) -> None:
    store = worlds.store_of(worlds.write_config(tmp_path))
    assert changes_since_training(store) is None
    assert not candidate_waits(store)


def test_a_network_alone_is_no_training_that_ended(world: Path) -> None:
    store = worlds.store_of(world / "config.yaml")
    for name in ("trained_model", "candidate_model"):
        shutil.rmtree(store.folder(name))
        assert changes_since_training(store) is None
        assert not candidate_waits(store)


def test_a_finished_world_has_no_changes(finished_world: Path) -> None:
    assert changes_since_training(worlds.store_of(finished_world / "config.yaml")) == PartChanges((), (), ())


def test_a_replaced_part_is_a_change_until_it_is_trained_on(world: Path) -> None:
    config = world / "config.yaml"
    worlds.run(config)
    part = world / "raw" / "train" / "part-00001"
    part.write_bytes(part.read_bytes().replace(b"TopLevel", b"Quote"))
    (world / "raw" / "train" / "part-00002").unlink()
    store = worlds.store_of(config)
    assert changes_since_training(store) == PartChanges((), (), ("part-00002",))
    worlds.run(config, "tweet_parts")
    assert changes_since_training(store) == PartChanges((), ("part-00001",), ("part-00002",))
    worlds.run(config, "interaction_features")
    assert changes_since_training(store) == PartChanges((), ("part-00000", "part-00001"), ("part-00002",))
    worlds.run(config, "pretrained_network")
    assert changes_since_training(store) == PartChanges((), ("part-00000", "part-00001"), ("part-00002",))
    assert not candidate_waits(store)
    worlds.run(config, "candidate_model")
    assert changes_since_training(store) == PartChanges((), (), ())
    assert candidate_waits(store)
    worlds.run(config, "trained_model")
    assert not candidate_waits(store)
