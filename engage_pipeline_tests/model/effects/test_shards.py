"""Records by shard."""

from pathlib import Path

import numpy as np

from engage_pipeline.model.effects.shards import Shards, shards_of

DTYPE = np.dtype([("key", "u8"), ("place", "i4")])


def test_every_record_is_in_its_shard_in_the_order_in_which_it_came(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    records = np.zeros(500, DTYPE)
    records["key"], records["place"] = rng.integers(0, 2**64 - 1, 500, np.uint64), np.arange(500)
    owners = rng.integers(0, 4, 500)
    shards = Shards.empty(tmp_path / "shards", 5, DTYPE)
    for part in np.split(np.arange(500), [0, 7, 450]):
        shards.add(records[part], owners[part])
    found = [one.tolist() for one in shards.read()]
    assert found == [records[owners == shard].tolist() for shard in range(4)]
    assert len(shards) == 5


def test_shards_rise_with_the_hash_and_are_all_used_alike() -> None:
    hashes = np.sort(np.random.default_rng(2).integers(0, 2**64 - 1, 30_000, np.uint64))
    for count in (1, 3, 1000):
        found = shards_of(hashes, count)
        assert (np.diff(found) >= 0).all()
        assert (found.min(), found.max()) == (0, count - 1)
        assert np.bincount(found).max() < 30_000 / count + 6 * np.sqrt(30_000 / count)
    assert shards_of(np.array([0, 2**64 - 1], np.uint64), 2**31).tolist() == [0, 2**31 - 1]
