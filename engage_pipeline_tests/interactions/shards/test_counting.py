"""Tables of a shard, and ids that share a hash."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.interactions.counters.counting import count_training
from engage_pipeline.interactions.shards import rows as narrow
from engage_pipeline.interactions.shards.counting import CollisionError, count_shard
from engage_pipeline.numerics.fingerprints import hashes
from engage_pipeline_tests.interactions.counters.test_counting import ROWS, exposure
from engage_pipeline_tests.interactions.shards.shard_rows import VIEWERS, Shown, side_rows
from engage_pipeline_tests.interactions.typed_parts import write_typed
from engage_pipeline_tests.samples import tiny_settings

NAMES = {"language": ["en", "ja"]}


def tables(rows: list[Shown]) -> dict[str, list[list[int]]]:
    found = count_shard(side_rows(rows), VIEWERS, NAMES)
    return {name: [list(row.values()) for row in batch.to_pylist()] for name, batch in found.items()}


def test_nested_tables_follow_the_ids() -> None:
    found = tables(
        [
            Shown(9, 1, 1, author=5, language=2, hashtags=(8, 7, 8), check=3),
            Shown(4, 1, 0, author=6, language=1, check=2),
            Shown(9, 2, 3, author=2, language=2, check=3),
            Shown(9, 2, 0, author=5, check=3),
        ]
    )
    en, ja = hashes(pa.array(NAMES["language"])).tolist()
    assert found == {
        "viewer": [[4, 2, 0, 0, 0, 0, 1, 1, 1, 1, 0], [9, 3, 2, 1, 0, 0, 1, 3, 3, 2, 2]],
        "pair": [[6, 0, 0, 0, 0, 1, 1], [2, 1, 1, 0, 0, 0, 1], [5, 1, 0, 0, 0, 1, 2]],
        "language": [[en, 0, 0, 0, 0, 1, 1], [ja, 2, 1, 0, 0, 0, 2]],
        "hashtag": [[7, 1, 0, 0, 0, 0, 1], [8, 2, 0, 0, 0, 0, 2]],
    }


def test_counts_beyond_16_bits() -> None:
    found = tables([Shown(9, 1, 1, author=5, language=1, hashtags=(8,))] * 70_000)
    assert found["viewer"] == [[9, 0, 70_000, 0, 0, 0, 0, 70_000, 1, 1, 1]]
    for name in ("pair", "language", "hashtag"):
        assert found[name][0][1:] == [70_000, 0, 0, 0, 0, 70_000]


def test_two_ids_with_one_hash_are_noticed_by_their_checks() -> None:
    same = [Shown(9, 1, 1, check=3), Shown(4, 1, 1, check=1)]
    tables([*same, Shown(9, 1, 1, check=3)])
    with pytest.raises(CollisionError, match="viewer"):
        tables([*same, Shown(9, 1, 1, check=2)])


@pytest.mark.parametrize(("column", "message"), [("viewer", "engaging_user_id"), ("author", "engaged_with_user_id")])
def test_counting_ends_where_two_ids_have_one_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str, message: str
) -> None:
    """Hashes of two bits: five users must share some."""
    monkeypatch.setattr(narrow, "hashes", lambda texts: (hashes(texts) & np.uint64(3)) << np.uint64(60))
    rows = [
        exposure(n, f"a{n}" if column == "author" else "a", f"v{n}" if column == "viewer" else "v", 0) for n in range(5)
    ]
    part = write_typed(rows, tmp_path / "part.parquet")
    with pytest.raises(UserError, match=f"two values of {message} have one fingerprint"):
        count_training([part], tmp_path, tiny_settings(tmp_path))


def test_counting_with_whole_hashes_does_not(tmp_path: Path) -> None:
    count_training([write_typed(ROWS, tmp_path / "part.parquet")], tmp_path, tiny_settings(tmp_path))


@pytest.mark.parametrize("parts", [["abcde"], ["abc", "cde"]], ids=["in one part", "in two parts"])
def test_a_column_of_few_values_that_has_too_many_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: list[str]
) -> None:
    """Codes for four languages, of which there are five."""
    paths = [
        write_typed([exposure(n, "a", "v", 0, language=one) for n, one in enumerate(part)], tmp_path / part)
        for part in parts
    ]
    count_training(paths, tmp_path, tiny_settings(tmp_path))
    monkeypatch.setattr(narrow, "MOST_NAMES", 5)
    with pytest.raises(UserError, match="language: 5 different values or more; at most 4 can be counted"):
        count_training(paths, tmp_path, tiny_settings(tmp_path))
