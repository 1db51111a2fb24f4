"""Symbolic links that lead out of a folder of raw data: refused, or resolved if the setting follow_links says so."""

from pathlib import Path

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.ingest.deletions.lists import read_deletions
from engage_pipeline.store.plan import raw_sources
from engage_pipeline_tests import worlds
from engage_pipeline_tests.faults.opened import audited
from engage_pipeline_tests.faults.raw import ingest, manifest_of, part_of, rows_of

OUT = r"a link that leads out of its folder \(setting follow_links\)"


@pytest.fixture
def linked(ingested: Path, tmp_path: Path) -> Path:
    """The configuration of a world whose part-00001 lies elsewhere, with a link in its place."""
    part = part_of(ingested)
    (tmp_path / "elsewhere").mkdir()
    part.rename(tmp_path / "elsewhere" / "secret")
    part.symlink_to(tmp_path / "elsewhere" / "secret")
    return ingested


@pytest.mark.long
def test_a_link_out_of_the_training_folder_is_refused_unread(linked: Path, tmp_path: Path) -> None:
    before = manifest_of(linked)
    with audited() as events, pytest.raises(UserError, match=f"part-00001: {OUT}"):
        ingest(linked)
    assert not [event for event in events if event.startswith("open ") and "elsewhere" in event]
    assert manifest_of(linked) == before


@pytest.mark.long
def test_it_is_read_where_the_setting_says_so(linked: Path) -> None:
    rows = rows_of(linked)
    target = part_of(linked).resolve()
    target.write_bytes(target.read_bytes()[: target.read_bytes().rindex(b"\n", 0, -1) + 1])
    worlds.write_config(linked.parent, follow_links=True)
    ingest(linked)
    assert rows_of(linked) == rows[:-1]
    assert worlds.store_of(linked).stale("tweet_parts", "part-00001", [part_of(linked)]) is None


def test_following_links_makes_nothing_stale(ingested: Path) -> None:
    worlds.write_config(ingested.parent, follow_links=True)
    assert worlds.run(ingested, "tweet_parts") == []


@pytest.mark.parametrize(
    ("artifact", "kind", "name"),
    [("validation_tweets", "validation", "part-00000"), ("test_tweets", "test", "part-00000")],
)
def test_links_out_of_the_other_folders(ingested: Path, tmp_path: Path, artifact: str, kind: str, name: str) -> None:
    part_of(ingested, name, kind).rename(tmp_path / "secret")
    part_of(ingested, name, kind).symlink_to(tmp_path / "secret")
    folder = {"validation_part": "raw/validation"}
    worlds.write_config(ingested.parent, **folder)
    with pytest.raises(UserError, match=OUT):
        raw_sources(worlds.store_of(ingested).settings, artifact)
    worlds.write_config(ingested.parent, **folder, follow_links=True)
    assert raw_sources(worlds.store_of(ingested).settings, artifact)[0].resolve() == tmp_path / "secret"


def test_links_out_of_the_deletions(tmp_path: Path) -> None:
    folder = tmp_path / "deletions"
    folder.mkdir()
    (tmp_path / "secret").write_text("an_id\n")
    (folder / "users").symlink_to(tmp_path / "secret")
    with pytest.raises(UserError, match=f"users: {OUT}"):
        read_deletions(folder)
    assert read_deletions(folder, follow_links=True).users.to_pylist() == ["an_id"]
    (tmp_path / "secret").unlink()
    with pytest.raises(UserError, match="users: a link that leads nowhere"):
        read_deletions(folder, follow_links=True)
    (folder / "users").unlink()
    (folder / ".list").write_text("an_id\n")
    (folder / "users").symlink_to(folder / ".list")
    assert read_deletions(folder).users.to_pylist() == ["an_id"]
