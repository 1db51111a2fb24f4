from collections.abc import Callable
from pathlib import Path

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.files.raw_parts import SIDE_ENDINGS, find_part, find_parts, list_parts, part_name
from engage_pipeline.ingest.side_files import SAMPLE
from engage_pipeline.store.file_names import PROFILE_ENDING, REJECTS, tweets_beside


def fill(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("x")
    return folder


def test_parts_are_sorted_by_name_whatever_they_are_compressed_with(tmp_path: Path) -> None:
    folder = fill(tmp_path, "part-00002.gz", "part-00010", "part-00001.zst", "part-00003.lzo")
    found = find_parts(folder)
    assert list(found) == ["part-00001", "part-00002", "part-00003", "part-00010"]
    assert [path.name for path in found.values()] == ["part-00001.zst", "part-00002.gz", "part-00003.lzo", "part-00010"]


def test_a_parquet_file_is_the_part_of_its_name_without_the_ending(tmp_path: Path) -> None:
    spark = "part-00000-0b1c2d3e-0b1c-2d3e-4f5a-0b1c2d3e4f5a-c000.snappy.parquet"
    folder = fill(tmp_path, "part-00000.parquet", "part-00001", spark)
    assert list(find_parts(folder)) == ["part-00000", spark.removesuffix(".parquet"), "part-00001"]
    assert find_part(folder / "part-00000") == folder / "part-00000.parquet"
    with pytest.raises(UserError, match=r"part-00001 and part-00001\.parquet are both part part-00001"):
        find_parts(fill(folder, "part-00001.parquet"))


def test_what_is_no_part_is_passed_over(tmp_path: Path) -> None:
    others = ["_SUCCESS", ".part-00000.crc", "part-00000.crc", "part-00000.md5", "part-00000.gz.sha256", "README.txt"]
    unfinished = ["part-00001.tmp", "part-00002~", "part-00003.partial", ".part-00004", "_temporary"]
    folder = fill(tmp_path, "part-00000", *others, *unfinished, "deleted_tweet_ids.txt")
    (folder / "part-00009").mkdir()
    assert list(find_parts(folder)) == ["part-00000"]


def test_the_challenge_s_index_files_are_no_parts_and_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    indexed = [name for number in range(3) for name in (f"part-0000{number}.lzo", f"part-0000{number}.lzo.index")]
    folder = fill(tmp_path, *indexed, "_SUCCESS", ".part-00000.lzo.crc", "part-00001.lzo.crc")
    caplog.set_level("INFO", "engage_pipeline")
    for _ in range(3):
        assert list(find_parts(folder)) == ["part-00000", "part-00001", "part-00002"]
        assert list_parts(folder).problems == {}
    assert caplog.messages == [
        f"{folder}: not parts, skipped: '.part-00000.lzo.crc', '_SUCCESS', 'part-00000.lzo.index' and 3 more"
    ]
    (folder / "_SUCCESS").unlink()
    find_parts(folder)
    assert len(caplog.messages) == 2
    assert find_part(folder / "part-00001") == folder / "part-00001.lzo"
    with pytest.raises(UserError, match=r"part-00001\.lzo\.index: an index or a checksum, not a part"):
        find_part(folder / "part-00001.lzo.index")


def test_two_files_for_one_part_are_an_error_naming_both(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"part-00000 and part-00000\.gz are both part part-00000"):
        find_parts(fill(tmp_path, "part-00000", "part-00000.gz"))


@pytest.mark.parametrize("name", ["part-0 0", "part-'; DROP TABLE tweets", "part-\n", "part-" + "0" * 60, "part-ü"])
def test_a_name_that_may_not_be_a_key_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="a part's name"):
        find_parts(fill(tmp_path, name))


@pytest.mark.parametrize("name", ["part-00000.rejects", "part-00000.sample.gz", "part-00000.profile.parquet"])
def test_the_name_of_a_side_file_is_the_problem_of_that_file_alone(tmp_path: Path, name: str) -> None:
    folder = fill(tmp_path, "part-00000", "part-00001.sampled", "part-sample", name)
    said = rf"{name}: a name that ends in \.(rejects|sample|profile) is that of a side file; rename this part$"
    listing = list_parts(folder)
    assert list(listing.parts) == ["part-00000", "part-00001.sampled", "part-sample"]
    assert list(listing.problems) == [name.removesuffix(".gz").removesuffix(".parquet")]
    for find in (find_parts, lambda folder: part_name(folder / name)):
        with pytest.raises(UserError, match=said):
            find(folder)


def test_the_endings_are_those_of_the_files_beside_test_parts() -> None:
    endings = {f".{REJECTS}", f".{SAMPLE}", PROFILE_ENDING, tweets_beside("")}
    assert {f"{ending}.parquet" for ending in SIDE_ENDINGS} == endings


def test_a_listing_keeps_the_good_parts_and_says_what_is_wrong_with_the_others(tmp_path: Path) -> None:
    folder = fill(tmp_path, "part-00002", "part-00000", "part-00001", "part-00001.gz", "part-0 0")
    (folder / "part-00003.gz").symlink_to(folder / "gone")
    listing = list_parts(folder)
    assert list(listing.parts) == ["part-00000", "part-00002"]
    assert listing.problems.keys() == {"part-00001", "part-0 0", "part-00003"}
    assert "both part part-00001" in listing.problems["part-00001"]
    assert list_parts(fill(tmp_path / "empty")).parts == {}
    with pytest.raises(UserError, match="no such folder"):
        list_parts(tmp_path / "nowhere")


def test_a_missing_or_empty_folder_is_an_error_naming_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere: no such folder"):
        find_parts(tmp_path / "nowhere")
    with pytest.raises(UserError, match="not a folder"):
        find_parts(fill(tmp_path / "a", "file") / "file")
    with pytest.raises(UserError, match="no parts"):
        find_parts(fill(tmp_path / "b", "_SUCCESS"))


def test_links_may_stay_inside_the_folder_only(tmp_path: Path) -> None:
    fill(tmp_path / "secret", "file")
    folder = fill(tmp_path / "parts", "data")
    (folder / "part-00000").symlink_to(folder / "data")
    assert list(find_parts(folder)) == ["part-00000"]
    (folder / "part-00001").symlink_to(tmp_path / "secret" / "file")
    with pytest.raises(UserError, match="part-00001: a link that leads out of its folder"):
        find_parts(folder)
    (folder / "part-00001").unlink()
    (folder / "part-00001").symlink_to(folder / "gone")
    with pytest.raises(UserError, match="leads nowhere"):
        find_parts(folder)


@pytest.mark.parametrize("follow_links", [False, True])
def test_a_link_that_leads_to_itself_is_the_problem_of_that_file_alone(tmp_path: Path, follow_links: bool) -> None:
    folder = fill(tmp_path, "part-00000")
    (folder / "part-00009").symlink_to("part-00009")
    (folder / "part-00010.gz").symlink_to("part-00011.gz")
    (folder / "part-00011.gz").symlink_to("part-00010.gz")
    (folder / "README").symlink_to("README")
    listing = list_parts(folder, follow_links=follow_links)
    assert list(listing.parts) == ["part-00000"]
    assert listing.problems == {
        file.partition(".")[0]: f"{folder / file}: a link that leads to itself"
        for file in ("part-00009", "part-00010.gz", "part-00011.gz")
    }


def test_a_single_part_is_the_file_else_its_only_compressed_form(tmp_path: Path) -> None:
    folder = fill(tmp_path, "part-00000", "part-00000.gz", "part-00001.zst", "part-00002.gz", "part-00002.lzo")
    assert find_part(folder / "part-00000").name == "part-00000"
    assert find_part(folder / "part-00001").name == "part-00001.zst"
    with pytest.raises(UserError, match=r"part-00002\.gz and part-00002\.lzo are the same part"):
        find_part(folder / "part-00002")
    with pytest.raises(UserError, match=r"part-00003: no such part, and no \.gz, \.zst, \.lzo, \.parquet of it$"):
        find_part(folder / "part-00003")
    with pytest.raises(UserError, match=r"part-00003\.parquet: no such part$"):
        find_part(folder / "part-00003.parquet")


def test_a_folder_means_its_only_part(tmp_path: Path) -> None:
    assert find_part(fill(tmp_path / "one", "part-00000.gz")).name == "part-00000.gz"
    with pytest.raises(UserError, match="holds 2 parts"):
        find_part(fill(tmp_path / "two", "part-00000", "part-00001"))


def test_part_name_drops_the_compression(tmp_path: Path) -> None:
    assert [part_name(tmp_path / name) for name in ("part-1", "part-1.gz", "part-1.zst", "part-1.lzo")] == [
        "part-1"
    ] * 4


@pytest.mark.parametrize("find", [find_parts, find_part])
def test_a_uri_with_one_slash_is_no_folder_but_nearly_one(find: Callable[[Path], object]) -> None:
    with pytest.raises(UserError, match=r"^s3:/music/train: no such .*; is it s3://music/train, with two slashes\?$"):
        find(Path("s3:/music/train"))
