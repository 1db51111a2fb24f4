"""The sort of lines by tweet."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.engines.duckdb import DuckDBEngine
from engage_pipeline.errors import UserError
from engage_pipeline.ingest import sorting
from engage_pipeline.ingest.parsing.blocks import LineBlock
from engage_pipeline.ingest.sorting import sorted_by_tweet
from engage_pipeline_tests.samples import tiny_settings

TWEETS = ["b", "", "a", "é", "B", "b", "", "aa"]


def block(tweets: list[str], first: int) -> LineBlock:
    lines = [f"tokens\x01\x01{tweet}\x01{'x' * (first + i)}\n".encode() for i, tweet in enumerate(tweets)]
    data = b"".join(lines)
    marks = np.flatnonzero(np.isin(np.frombuffer(data, np.uint8), [1, 10]))
    return LineBlock(data, marks.reshape(-1, 4), np.arange(first, first + len(tweets)))


@pytest.mark.parametrize("most_bytes", [1, 40, 1 << 28])
def test_lines_come_by_the_bytes_of_their_tweets_then_by_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_bytes: int
) -> None:
    monkeypatch.setattr(sorting, "_MAX_BYTES", most_bytes)
    with DuckDBEngine(tiny_settings(tmp_path), large_buffers=True) as engine:
        found = list(sorted_by_tweet(engine, [block(TWEETS[:5], 0), block(TWEETS[5:], 5)], 4))
    order = sorted(range(8), key=lambda line: (not TWEETS[line], TWEETS[line].encode(), line))
    assert [number for one in found for number in one.numbers.tolist()] == order
    assert b"".join(bytes(one.data) for one in found).decode().splitlines() == [
        f"tokens\x01\x01{TWEETS[line]}\x01{'x' * line}" for line in order
    ]
    assert [text for one in found for text in one.column(2).to_pylist()] == [TWEETS[line] or None for line in order]
    assert [text for one in found for text in one.column(3).to_pylist()] == ["x" * line or None for line in order]
    assert len(found) == {1: 8, 40: 4}.get(most_bytes, 1)


def test_what_goes_wrong_while_the_lines_are_read_is_told_as_it_is(tmp_path: Path) -> None:
    def blocks() -> Iterator[LineBlock]:
        yield block(TWEETS, 0)
        raise UserError("a damaged archive")

    with (
        DuckDBEngine(tiny_settings(tmp_path), large_buffers=True) as engine,
        pytest.raises(UserError, match=r"^a damaged archive$"),
    ):
        list(sorted_by_tweet(engine, blocks(), 4))
