"""Counts go back to the row groups of their parts."""

from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.interactions.shards.way_back import Back, BackReader, BackWriter

ENDS = [np.array([4, 6]), np.array([3]), np.array([], np.int64)]
"""Two parts of 6 rows in two groups and 3 rows in one; a third part without a row."""
SIZES = [(0, 0, 4), (0, 1, 2), (1, 0, 3)]
"""Part, group and its rows."""
COUNTERS = 2


def back(
    rows: list[tuple[int, int]], first: int, scored: list[int], kind: type[np.unsignedinteger] = np.uint16
) -> Back:
    """Counters of rows (part, place): first, first + 1 …, and 100 more; scores of the rows at `scored`. In order."""
    order = sorted(range(len(rows)), key=rows.__getitem__)
    numbers = first + np.array(order, np.int64)
    marked = [at for at, row in enumerate(order) if row in scored]
    return Back(
        np.array([rows[row][0] for row in order], np.int32),
        np.array([rows[row][1] for row in order], np.uint32),
        np.stack([numbers, numbers + 100]).astype(kind),
        np.array(marked, np.int64),
        np.array([[10**12 * int(numbers[at]) + e for at in marked] for e in range(4)], np.int64).reshape(4, -1),
    )


def read(folder: Path, part: int, group: int, rows: int) -> tuple[list[list[int]], list[list[int]]]:
    counters, scores = BackReader(sorted(folder.glob("back-*.arrow")), part, COUNTERS).group(group, rows)
    assert counters.dtype == np.int32
    return counters.tolist(), scores.tolist()


FIRST = back([(1, 2), (0, 5), (0, 0), (0, 3)], 1, [0, 2])
SECOND = back([(0, 4), (1, 0)], 70_000, [1], np.uint32)
"""Row 1 of part 1 and rows 1 and 2 of part 0 are in no shard: their viewer is unknown."""


@pytest.mark.parametrize("held_bytes", [1, 1 << 20], ids=["a file each", "one file"])
def test_every_row_finds_its_counts_and_others_zeros(tmp_path: Path, held_bytes: int) -> None:
    with BackWriter(tmp_path, "back", ENDS, held_bytes) as writer:
        writer.add(FIRST)
        writer.add(SECOND)
    assert len(list(tmp_path.glob("*.arrow"))) == (2 if held_bytes == 1 else 1)
    unit = 10**12
    assert read(tmp_path, 0, 0, 4) == (
        [[3, 0, 0, 4], [103, 0, 0, 104]],
        [[3 * unit + e, 0, 0, 0] for e in range(4)],
    )
    assert read(tmp_path, 0, 1, 2) == ([[70_000, 2], [70_100, 102]], [[0, 0]] * 4)
    assert read(tmp_path, 1, 0, 3) == (
        [[70_001, 0, 1], [70_101, 0, 101]],
        [[70_001 * unit + e, 0, unit + e] for e in range(4)],
    )


def test_many_rows_in_any_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ends = [np.array([1000, 2500]), np.array([500, 501, 4000])]
    rows = [(part, place) for part in (0, 1) for place in range(int(ends[part][-1]))]
    order = rng.permutation(len(rows))
    numbers = {rows[row]: place for place, row in enumerate(order.tolist())}
    with BackWriter(tmp_path, "back", ends, 1 << 14) as writer:
        for start in range(0, len(rows), 700):
            chosen = [rows[row] for row in order[start : start + 700].tolist()]
            scored = sorted(rng.choice(len(chosen), 20, replace=False).tolist())
            writer.add(back(chosen, start, scored))
    assert len(list(tmp_path.glob("*.arrow"))) > 1
    for part, part_ends in enumerate(ends):
        starts = [0, *part_ends[:-1].tolist()]
        for group, (start, end) in enumerate(zip(starts, part_ends.tolist(), strict=True)):
            counters, scores = read(tmp_path, part, group, end - start)
            wanted = [numbers[part, place] for place in range(start, end)]
            assert counters == [wanted, [number + 100 for number in wanted]]
            assert all(score in (0, 10**12 * number) for score, number in zip(scores[0], wanted, strict=True))
            assert [score + 3 for score in scores[0] if score] == [score for score in scores[3] if score]


def test_an_error_in_the_middle_writes_nothing_more(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="in the middle"), BackWriter(tmp_path, "back", ENDS, 1 << 20) as writer:
        writer.add(FIRST)
        raise RuntimeError("in the middle")
    assert list(tmp_path.iterdir()) == []
