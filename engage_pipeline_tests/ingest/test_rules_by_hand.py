"""The rules of ingested parts on their edges, from figures and small files made by hand."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.ingest.rules import (
    content_marks,
    days_are_in_the_window,
    few_lines_are_rejected,
    few_rows_come_twice,
    holdout_has_its_share,
    lines_add_up,
    no_part_comes_twice,
    no_row_is_in_another_window,
    tables,
)
from engage_pipeline.store.rules import Rule
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests.samples import FIRST_DAY, bare_store, tiny_settings

FACTS: dict[str, Any] = {"lines": 100, "rows": 90, "rejected": 5, "blank": 3, "forgotten": 2, "duplicates": 0}
FACTS |= {"positives": {}, "reasons": {}, "days": "none"}


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    checks = {"max_duplicate_share": 0.1, "max_outside_share": 0.1, "first_day": "2021-02-04", "last_day": "2021-02-06"}
    return bare_store(
        tiny_settings(
            tmp_path / "data",
            recsys_data=str(tmp_path / "raw"),
            checks=checks,
            ingest={"max_rejected_share": 0.05},
            validation_percentage=0.1,
        )
    )


def publish(
    store: ArtifactStore,
    name: str = "validation_tweets",
    key: str | None = None,
    content: bytes = b"rows",
    files: Mapping[str, pa.Table] | None = None,
    **facts: Any,
) -> None:
    """Publishes a part with FACTS, `facts` over them."""
    sources = []
    if key:
        raw = store.settings.recsys_data / key
        raw.parent.mkdir(exist_ok=True)
        raw.write_bytes(b"raw " + content)
        sources = [raw]
    with store.publish(name, key, sources) as draft:
        draft.path("tweets.parquet").write_bytes(content)
        for file, table in (files or {}).items():
            pq.write_table(table, draft.path(file))
        draft.facts |= {**FACTS, **facts}
        draft.rows = draft.facts["rows"]


def problem(store: ArtifactStore, rule: Rule, name: str = "validation_tweets", key: str | None = None) -> str:
    return rule.look(store, store.open(name, key)).problem


def sample(*pairs: str) -> dict[str, pa.Table]:
    return {"sample.parquet": pa.table({"pair": pa.array(pairs, pa.string())})}


def test_lines_that_do_not_add_up(store: ArtifactStore) -> None:
    publish(store)
    assert problem(store, lines_add_up) == ""
    for name in ("lines", "rows", "rejected", "blank", "forgotten"):
        for step in (-1, 1):
            publish(store, **{name: FACTS[name] + step})
            assert "are not" in problem(store, lines_add_up), (name, step)


@pytest.mark.parametrize(("rejected", "fine"), [(0, True), (4, True), (5, True), (6, False), (50, False)])
def test_the_edge_of_the_rejected_share(store: ArtifactStore, rejected: int, fine: bool) -> None:
    publish(store, rejected=rejected)
    found = problem(store, few_lines_are_rejected)
    assert found == ("" if fine else f"{rejected} of 100 lines are rejected (ingest.max_rejected_share = 0.05)")


def test_the_rejected_share_of_each_test_part(store: ArtifactStore) -> None:
    """10 of 200 lines are at the limit, but not the 6 of the second part's 100."""
    for second, wrong in ((5, ""), (6, "b: 6 of 100 lines are rejected (ingest.max_rejected_share = 0.05)")):
        publish(store, "test_tweets", parts={"a": {**FACTS, "rejected": 4}, "b": {**FACTS, "rejected": second}})
        found = few_lines_are_rejected.look(store, store.open("test_tweets"))
        assert (found.problem, found.figures) == (wrong, {"lines are rejected": 4 + second, "of": 200})


@pytest.mark.parametrize(("duplicates", "fine"), [(0, True), (9, True), (10, False)])
def test_the_edge_of_the_duplicate_share(store: ArtifactStore, duplicates: int, fine: bool) -> None:
    publish(store, duplicates=duplicates)
    found = problem(store, few_rows_come_twice)
    assert found == ("" if fine else "10 of 90 rows come twice (checks.max_duplicate_share = 0.1)")


@pytest.mark.parametrize(
    ("before", "after", "undated", "fine"),
    [(0, 0, 0, True), (9, 0, 0, True), (0, 9, 0, True), (0, 0, 9, True), (3, 3, 3, True), (3, 4, 3, False)],
)
def test_the_edge_of_the_window(store: ArtifactStore, before: int, after: int, undated: int, fine: bool) -> None:
    rows = {0: undated, FIRST_DAY - 1: before, FIRST_DAY: 40, FIRST_DAY + 2: 50, FIRST_DAY + 3: after}
    table = {schema.ENGAGEMENT_DAY: pa.array(rows.keys(), pa.int32()), "rows": pa.array(rows.values(), pa.int64())}
    publish(store, files={"days.parquet": pa.table(table)})
    found = problem(store, days_are_in_the_window)
    assert (found == "") == fine
    if not fine:
        assert found == (
            "10 of 90 rows lie outside 2021-02-04 to 2021-02-06: 2021-02-07 (4), no date (3), 2021-02-03 (3) "
            "(checks.max_outside_share = 0.1)"
        )


@pytest.mark.parametrize(
    ("in_milliseconds", "far", "told"), [(10, 0, True), (10, 9, True), (10, 10, False), (0, 90, False)]
)
def test_times_in_milliseconds(store: ArtifactStore, in_milliseconds: int, far: int, told: bool) -> None:
    # 2021-02-06 at noon in milliseconds, read as seconds, is day 18,664,500; 90,000,000 is no day of theirs.
    rows = {FIRST_DAY: 90 - in_milliseconds - far, 18_664_500: in_milliseconds, 90_000_000: far}
    table = {schema.ENGAGEMENT_DAY: pa.array(rows.keys(), pa.int32()), "rows": pa.array(rows.values(), pa.int64())}
    publish(store, files={"days.parquet": pa.table(table)})
    found = problem(store, days_are_in_the_window)
    assert f"{in_milliseconds + far} of 90 rows lie outside" in found
    assert ("; times look like milliseconds, where seconds are read (checks." in found) == told


def test_the_same_content_under_another_name(store: ArtifactStore) -> None:
    publish(store, "tweet_parts", "part-00001", b"one")
    publish(store, "tweet_parts", "part-00002", b"two")
    publish(store, "tweet_parts", "part-00003", b"one")
    found = {key: problem(store, no_part_comes_twice, "tweet_parts", key) for key in store.parts()}
    assert found == {
        "part-00001": "",
        "part-00002": "",
        "part-00003": "the same content as part-00001: remove one of the two",
    }
    publish(store, "tweet_parts", "part-00003", b"one", rows=0)
    assert problem(store, no_part_comes_twice, "tweet_parts", "part-00003") == ""
    publish(store, "tweet_parts", "part-00001", b"one", rows=0)
    publish(store, "tweet_parts", "part-00003", b"one")
    assert problem(store, no_part_comes_twice, "tweet_parts", "part-00003") == "", "a part without rows is no twin"
    marks = [content_marks(store.open("tweet_parts", key).manifest) for key in ("part-00001", "part-00003")]
    assert len(marks[0] & marks[1]) == 2, "the raw file and its rows"


def test_rows_of_another_window(store: ArtifactStore) -> None:
    limit = store.settings.checks.max_shared_share
    many = [f"tweet{number} viewer" for number in range(200)]
    publish(store, "tweet_parts", "part-00001", b"one", files=sample(*many))
    publish(store, files=sample(*[f"other{number} viewer" for number in range(200)]))
    assert problem(store, no_row_is_in_another_window) == ""
    publish(store, files=sample(*many[:100], *[f"x{number} viewer" for number in range(100)]))
    for name, key, other in (
        ("validation_tweets", None, "tweet_parts/part-00001"),
        ("tweet_parts", "part-00001", "validation_tweets"),
    ):
        assert problem(store, no_row_is_in_another_window, name, key) == (
            f"100 of 200 sampled rows are in {other} too (checks.max_shared_share = {limit:g}): remove one of the two, "
            "or raise the limit if viewers see tweets again"
        )


@pytest.mark.parametrize(
    ("held_out", "expected"),
    [
        (0, "none of the 1,000 rows is held out"),
        (1000, "none of the 1,000 rows is to fine-tune on"),
        (100, ""),
        (53, ""),
        (147, ""),
        (52, "52 of 1,000 rows are held out"),
        (148, "148 of 1,000 rows are held out"),
    ],
)
def test_the_share_of_the_holdout(store: ArtifactStore, held_out: int, expected: str) -> None:
    """One in ten of 1,000 rows: five standard deviations are 5 x sqrt(1000 x 0.1 x 0.9) = 47.4 rows."""
    split = [schema.HOLDOUT] * held_out + [0] * (1000 - held_out)
    publish(store, files={"tweets.parquet": pa.table({schema.SPLIT: pa.array(split, pa.int32())})})
    found = problem(store, holdout_has_its_share)
    assert found.startswith(expected)
    assert bool(found) == bool(expected)


def test_files_of_test_rows_are_all_looked_at(store: ArtifactStore) -> None:
    table = pa.table({"n": [1]})
    names = ["part-0.parquet", "part-1.parquet", "part-0.rejects.parquet", "part-0.sample.parquet"]
    publish(store, "test_tweets", files=dict.fromkeys(names, table))
    assert tables(store.open("test_tweets").manifest) == ["part-0.parquet", "part-1.parquet", "tweets.parquet"]
    publish(store, "tweet_parts", "part-00001")
    assert tables(store.open("tweet_parts", "part-00001").manifest) == ["tweets.parquet"]
