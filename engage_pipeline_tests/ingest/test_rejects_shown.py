"""Which rejected lines `engage rejects` shows."""

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.ingest import rejected_part
from engage_pipeline.ingest.deletions.lists import read_deletions
from engage_pipeline.ingest.part_publishing import publish_part
from engage_pipeline.ingest.rejected_part import kept_rejects
from engage_pipeline.ingest.rejects import Reject, RejectWriter
from engage_pipeline.ingest.rejects_shown import rejects_text
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests.ingest.test_part_ingest import ingest, line_of
from engage_pipeline_tests.samples import bare_store, tiny_settings

FACTS = {"lines": 9, "rows": 8, "rejected": 1, "blank": 0, "positives": {}, "reasons": {}, "days": ""}


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    """A store with a training part and two test parts, of each the line 7 rejected."""
    store = bare_store(tiny_settings(tmp_path))
    with store.publish("tweet_parts", "part-00003") as draft:
        write(draft.path("rejects.parquet"), "part-00003", 7)
        draft.facts = FACTS
    with store.publish("test_tweets") as draft:
        for part in ("part-00000", "part-00001"):
            write(draft.path(f"{part}.rejects.parquet"), part, 7)
        draft.facts = {"parts": {"part-00000": FACTS, "part-00001": FACTS}}
    return store


def write(path: Path, file: str, *lines: int) -> None:
    """A file of rejected lines with these numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with RejectWriter(path, file) as writer:
        for line in lines:
            writer.append(Reject(line, "encoding: invalid UTF-8", b"raw"))


def shown(store: ArtifactStore, part: str) -> list[str]:
    """The title and the places of the lines."""
    title, *lines = rejects_text(store, part, 20)
    return [title, *(line.partition(" (")[0] for line in lines)]


def test_kept_lines_are_shown_for_their_own_part_alone(store: ArtifactStore) -> None:
    write(kept_rejects(store.folder("test_tweets")), "part-00001.gz", 3, 4)
    assert shown(store, "test_tweets/part-00000") == [
        "test_tweets/part-00000: 1 rejected line of 9 lines",
        "part-00000, line 7",
    ]
    for part in ("test_tweets/part-00001", "test_tweets"):
        assert shown(store, part) == [
            f"{part}: 2 rejected lines kept of an attempt that failed",
            "part-00001.gz, line 3",
            "part-00001.gz, line 4",
        ]


def test_kept_lines_that_were_all_deleted_are_of_no_part(store: ArtifactStore) -> None:
    write(kept_rejects(store.folder("test_tweets")), "part-00001")
    assert shown(store, "test_tweets/part-00001")[1:] == ["part-00001, line 7"]


def test_a_part_of_rejected_lines_alone_shows_them_whatever_share_is_allowed(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    others = (line_of(like_timestamp=b"soon", engaging_user_id=b"gone"), line_of(like_timestamp=b"soon"))
    (raw / "part-00038").write_bytes(b"\n".join([*others, b"torn"]))
    (tmp_path / "deletions").mkdir()
    (tmp_path / "deletions" / "users").write_text("gone")
    places = {"recsys_data": str(raw), "deletions": str(tmp_path / "deletions")}
    store = ArtifactStore(tiny_settings(tmp_path / "data", **places, ingest={"max_rejected_share": 1}))
    with pytest.raises(
        UserError, match=r"of its 3 lines is an interaction: 3 can't .*; see engage rejects part-00038$"
    ):
        publish_part(store, read_deletions(store.settings.deletions), "part-00038")
    assert shown(store, "part-00038") == [
        "part-00038: 2 rejected lines kept of an attempt that failed",
        "part-00038, line 1",
        "part-00038, line 2",
    ]
    (raw / "part-00038").write_bytes(b"\n".join([line_of(), b"torn"]))
    publish_part(store, read_deletions(store.settings.deletions), "part-00038")
    assert shown(store, "part-00038")[0] == "part-00038: 1 rejected line of 2 lines"


def test_what_is_kept_of_a_part_of_rejected_lines_alone_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejected_part, "KEPT_LINES", 2)
    bad = line_of(like_timestamp=b"soon") + b"\n"
    with pytest.raises(
        UserError, match=r": 5 can't be read \(like_timestamp 5\); the first is line 0 .*; then line 1 [^;]*$"
    ):
        ingest(tmp_path, bad * 5, ingest={"max_rejected_share": 1})
    assert pq.read_table(tmp_path / "rejects.parquet")["line_number"].to_pylist() == [0, 1]


@pytest.mark.parametrize("asked", ["tweet_parts", "tweet_parts/"])
def test_an_artifact_of_parts_needs_one(asked: str, store: ArtifactStore, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"^{asked}: name a part, such as tweet_parts/part-00003$"):
        shown(store, asked)
    with pytest.raises(UserError, match=f"^{asked}: name a part, such as tweet_parts/part-00000$"):
        shown(bare_store(tiny_settings(tmp_path / "empty")), asked)


def test_what_is_not_there_is_named_with_what_is(store: ArtifactStore) -> None:
    said = (
        f"part-9: no row of such a part was read into {store.root}, so there are no rejected lines; "
        "if it failed, `engage run` says why again; training parts there: part-00003"
    )
    with pytest.raises(UserError, match=f"^{re.escape(said)}$"):
        shown(store, "part-9")
