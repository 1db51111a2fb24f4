"""Changed worlds, read back plainly: what moved, what stayed."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from engage_pipeline import schema
from engage_pipeline.comparison.variants import leave_out_strangers, seen_viewers, shuffle_labels
from engage_pipeline.synthetic import synthesize

VIEWER = 14
PARTS = ("train/part-00000", "train/part-00001", "validation/part-00000")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    synthesize(folder, rows=2000, users=200, parts=2, seed=3)
    return folder


def fields(path: Path) -> list[tuple[str, ...]]:
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    rows = [tuple(line.split("\x01")) for line in text[:-1].split("\n")]
    assert all(len(row) == len(schema.COLUMNS) for row in rows)
    return rows


def parts(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("part-*"))


@pytest.mark.parametrize("part", PARTS)
def test_shuffling_keeps_the_rows_and_each_label_tuple_as_often_as_it_was(source: Path, tmp_path: Path, part: str):
    shuffle_labels(source, tmp_path, 1)
    before, after = fields(source / part), fields(tmp_path / part)
    assert [row[:20] for row in after] == [row[:20] for row in before]
    assert Counter(row[20:] for row in after) == Counter(row[20:] for row in before)
    engaged = [row[20:] != other[20:] for row, other in zip(after, before, strict=True)]
    assert sum(engaged) > 0.2 * len(engaged)


def test_shuffling_leaves_no_trace_of_who_likes(source: Path, tmp_path: Path):
    """Correlation of a row's like with that of the row before by the same viewer: there, and gone."""
    shuffle_labels(source, tmp_path, 1)
    assert parts(tmp_path) == list(PARTS)
    assert agreement(source) > 0.08
    assert abs(agreement(tmp_path)) < 0.05


def agreement(folder: Path) -> float:
    """How much more often two neighbouring rows of a viewer agree in `like` than two rows drawn at random."""
    likes: dict[str, list[bool]] = {}
    for part in PARTS:
        for row in fields(folder / part):
            likes.setdefault(row[VIEWER], []).append(row[23] != "")
    pairs = [one == other for own in likes.values() for one, other in pairwise(own)]
    rate = sum(sum(own) for own in likes.values()) / sum(len(own) for own in likes.values())
    return sum(pairs) / len(pairs) - (rate**2 + (1 - rate) ** 2)


def test_strangers_vanish_from_every_labelled_part_and_nobody_else(source: Path, tmp_path: Path):
    leave_out_strangers(source, tmp_path, 1)
    assert parts(tmp_path) == list(PARTS)
    before = {row[VIEWER] for part in PARTS for row in fields(source / part)}
    seen = seen_viewers(tmp_path)
    assert seen < before
    assert 0.1 < 1 - len(seen) / len(before) < 0.3
    for part in PARTS:
        assert fields(tmp_path / part) == [row for row in fields(source / part) if row[VIEWER] in seen]


def test_another_seed_draws_other_strangers_and_another_order(source: Path, tmp_path: Path):
    for seed in (1, 2):
        leave_out_strangers(source, tmp_path / f"strangers-{seed}", seed)
        shuffle_labels(source, tmp_path / f"shuffled-{seed}", seed)
    assert seen_viewers(tmp_path / "strangers-1") != seen_viewers(tmp_path / "strangers-2")
    one, other = (fields(tmp_path / f"shuffled-{seed}" / PARTS[0]) for seed in (1, 2))
    assert one != other
