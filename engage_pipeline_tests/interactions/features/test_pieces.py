"""Pieces hold every row once, in the order that they are written in, and no more rows than they may."""

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engage_pipeline.interactions.features import pieces
from engage_pipeline.interactions.features.pieces import Piece, Sizes, cut, groups, side_by_side
from engage_pipeline.schema import ENGAGEMENT_DAY, LINE_NUMBER
from engage_pipeline_tests.samples import tiny_settings

Row = tuple[int, int]
BY_DAY = [ENGAGEMENT_DAY, LINE_NUMBER]


def write(rows: list[Row], path: Path) -> Path:
    """Line and day of each row, and a text that tells them."""
    lines, days = ([row[place] for row in rows] for place in (0, 1))
    columns = {LINE_NUMBER: pa.array(lines, pa.int64()), ENGAGEMENT_DAY: pa.array(days, pa.int32())}
    pq.write_table(pa.table(columns | {"text": pa.array(map(str, rows), pa.string())}), path)
    return path


def placed(piece: Piece) -> list[tuple[int, Row]]:
    """The place of each row of the piece's file and the row, by place."""
    table = pq.read_table(piece.tweets)
    rows = list(zip(table[LINE_NUMBER].to_pylist(), table[ENGAGEMENT_DAY].to_pylist(), strict=True))
    assert table["text"].to_pylist() == [str(row) for row in rows]
    return sorted((int(piece.places[line]), (line, day)) for line, day in rows)


parts = st.lists(st.integers(0, 60), unique=True, max_size=40).flatmap(
    lambda lines: st.tuples(*(st.tuples(st.just(line), st.integers(-1, 3)) for line in lines)).map(list)
)


@settings(max_examples=60, deadline=None)
@given(rows=parts, most=st.integers(1, 12), by_day=st.booleans())
def test_the_pieces_of_a_part_are_its_rows_in_order(rows: list[Row], most: int, by_day: bool) -> None:
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "ROW_GROUP_ROWS", 5)  # so that rows are distributed from several tables
        folder = Path(name)
        tweets = write(rows, folder / "tweets.parquet")
        found = list(cut(tweets, 3, BY_DAY if by_day else [LINE_NUMBER], most, folder))
        seen = []
        for piece in found:
            assert piece.part == 3
            assert 0 <= piece.rows <= most
            by_place = placed(piece)
            assert [place for place, _ in by_place] == list(range(piece.rows))
            assert int((piece.places >= 0).sum()) == piece.rows
            seen += [row for _, row in by_place]
        assert seen == sorted(rows, key=lambda row: (row[1], row[0]) if by_day else row)
        assert len(found) == max(-(-len(rows) // most), 1)


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 20))
def test_groups_hold_neighbours_and_one_more_would_be_too_many(sizes: list[int], most: int) -> None:
    given_pieces = [Piece(part, Path(), pieces.np.empty(0, "int32"), rows) for part, rows in enumerate(sizes)]
    found = list(groups(iter(given_pieces), most))
    assert [piece for group in found for piece in group] == given_pieces
    for group in found:
        assert len(group) == 1 or sum(piece.rows for piece in group) <= most
    for group, following in pairwise(found):
        assert sum(piece.rows for piece in group) + following[0].rows > most


def test_rows_of_several_pieces_share_neither_line_nor_place(tmp_path: Path) -> None:
    rows = {"a": [(4, 1), (0, 2)], "b": [], "c": [(4, 0), (1, 0), (7, 0)]}
    group = [
        next(cut(write(some, tmp_path / f"{name}.parquet"), part, BY_DAY, 10, tmp_path))
        for part, (name, some) in enumerate(rows.items())
    ]
    firsts, places = side_by_side(group)
    assert firsts == [0, 5, 5]
    assert {line: int(place) for line, place in enumerate(places) if place >= 0} == {4: 0, 0: 1, 6: 2, 9: 3, 12: 4}


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("100MB", Sizes(122_880, 122_880)),  # a row group, whatever the limit
        ("2GB", Sizes(2 * 122_880, 1_250_000)),  # 500 MB / 1500 bytes = 333,333 rows; 500 MB / 400 bytes
        ("100GB", Sizes(32 * 122_880, 62_500_000)),
    ],
)
def test_sizes_are_a_share_of_the_memory(tmp_path: Path, limit: str, expected: Sizes) -> None:
    assert Sizes.within(tiny_settings(tmp_path, engine={"memory_limit": limit})) == expected


def test_a_piece_is_written_where_it_is_told_to_be(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    tweets = write([(line, 0) for line in range(9)], tmp_path / "tweets.parquet")
    found = list(cut(tweets, 0, BY_DAY, 4, tmp_path / "scratch"))
    assert {piece.tweets.parent for piece in found} == {tmp_path / "scratch"}
    assert [piece.rows for piece in found] == [4, 4, 1]
