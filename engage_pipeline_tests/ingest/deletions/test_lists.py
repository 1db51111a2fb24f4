"""The lists of deleted ids: every way to write one, and one clear line for what is none."""

import gzip
import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engage_pipeline.catalogue import digest
from engage_pipeline.errors import UserError
from engage_pipeline.ingest.deletions.lists import NO_DELETIONS, read_deletions
from engage_pipeline_tests.programs import require_program

USER, TWEET = "0123456789abcdef" * 2, "FEDCBA9876543210" * 2

FOLDERS_OF_THE_CHALLENGE = ("tsv_deleted_user_id", "tsv_deleted_engaged_with_tweet_id")


def write(folder: Path, **lists: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in lists.items():
        (folder / name).write_bytes(content)
    return folder


def ids(folder: Path) -> tuple[list[str], list[str]]:
    found = read_deletions(folder)
    return sorted(found.tweets.to_pylist()), sorted(found.users.to_pylist())


def test_no_folder_and_an_empty_one_delete_nothing(tmp_path: Path) -> None:
    for folder in (tmp_path / "none", tmp_path):
        assert read_deletions(folder) == NO_DELETIONS
        assert not read_deletions(folder)


def test_lists_of_both_kinds_are_joined_and_each_id_counts_once(tmp_path: Path) -> None:
    write(tmp_path, **{"tweets-2021-03.txt": b"a\nb\na\n", "tweets": b"c\nb", "users.txt": b"u\n"})
    assert ids(tmp_path) == (["a", "b", "c"], ["u"])
    assert read_deletions(tmp_path).lists == ("tweets", "tweets-2021-03.txt", "users.txt")


def test_blank_lines_carriage_returns_spaces_and_a_byte_order_mark_are_no_ids(tmp_path: Path) -> None:
    write(tmp_path, tweets=b"\xef\xbb\xbfa\r\n\r\n  b \n\n\nc", users=b"")
    assert ids(tmp_path) == (["a", "b", "c"], [])


def test_compressed_lists_are_read(tmp_path: Path) -> None:
    require_program("zstd")
    write(tmp_path, **{"tweets.gz": gzip.compress(b"a\nb\n"), "users-1": b"u\n"})
    subprocess.run(["zstd", "-q", "--rm", str(tmp_path / "users-1")], check=True)
    assert ids(tmp_path) == (["a", "b"], ["u"])


def test_a_list_longer_than_a_block_is_read_whole(tmp_path: Path) -> None:
    wanted = [f"{number:032x}" for number in range(300_000)]
    write(tmp_path, users="\n".join(wanted).encode())
    assert ids(tmp_path) == ([], wanted)


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"a\nb\0c\n", 2, r"'b\\x00c' is not one id"),
        (b"a\n\nb\rc\n", 3, r"'b\\rc' is not one id"),
        (b"a\x01\n", 1, r"'a\\x01' is not one id"),
        (f"user_id,reason\n{USER},left".encode(), 2, f"'{USER},left' is not one id"),
        (f"user_id\n7;{USER}\n".encode(), 2, f"'7;{USER}' is not one id"),
        (f"u1\n{USER}\t7\n".encode(), 2, rf"'{USER}\\t7' is not one id"),
        (f'"{USER}"\n'.encode(), 1, f"'\"{USER}\"' is not one id"),
        (f"1|{USER.lower()}|x".encode(), 1, rf"'1\|{USER.lower()}\|x' is not one id"),
        (b"a\n" * 3_000_000 + b"x\0y\n", 3_000_001, r"'x\\x00y' is not one id"),
        (b"a\nb\n\xff\n", 3, "invalid UTF-8"),
        (b"a\n" + b"b" * 201, 2, "is not one id"),
    ],
)
def test_a_line_that_is_no_id_is_named(tmp_path: Path, content: bytes, line: int, reason: str) -> None:
    write(tmp_path, tweets=content)
    with pytest.raises(UserError, match=rf"tweets: line {line}: .*{reason}"):
        read_deletions(tmp_path)


def test_a_file_that_says_neither_tweets_nor_users_is_named(tmp_path: Path) -> None:
    write(tmp_path, **{"deleted.txt": b"a\n"})
    with pytest.raises(UserError, match=r"deleted\.txt: is it a list"):
        read_deletions(tmp_path)


def test_the_folders_of_the_challenge_are_read(tmp_path: Path) -> None:
    users, tweets = (write(tmp_path / name, _SUCCESS=b"") for name in FOLDERS_OF_THE_CHALLENGE)
    write(users, **{"part-00000": USER.encode() + b"\n", "part-00000.crc": b"?", "part-00001.gz": gzip.compress(b"")})
    write(tweets, **{"part-00000.lzo.index": b"\0", "part-00007": TWEET.encode(), ".part-00007.crc": b"?"})
    write(tmp_path, users=b"0" * 32, _SUCCESS=b"")
    assert ids(tmp_path) == ([TWEET], ["0" * 32, USER])
    assert read_deletions(tmp_path).lists == (
        "tsv_deleted_engaged_with_tweet_id/part-00007",
        "tsv_deleted_user_id/part-00000",
        "tsv_deleted_user_id/part-00001.gz",
        "users",
    )
    (tmp_path / "tsv_deleted_users").mkdir()
    with pytest.raises(UserError, match=r"tsv_deleted_users: is it a list .* tsv_deleted_engaged_with_tweet_id and"):
        read_deletions(tmp_path)


def test_an_id_that_is_not_one_of_the_challenge_is_reported_once_with_file_and_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    odd = [USER.encode()[:-1], USER.encode() + b"0", b"g" * 32]
    write(tmp_path, users=b"\n".join([USER.encode(), b"", TWEET.encode(), *odd]), tweets=TWEET.encode())
    for _ in range(2):
        assert len(ids(tmp_path)[1]) == 5
    told = f"line 4: '{odd[0].decode()}' is not an id of 32 hexadecimal digits; it deletes only this exact id"
    assert caplog.messages == [f"{tmp_path / 'users'}: {told}"]


SEVERAL = "is it several columns, a header or a quoted id? A list has one id a line"


@pytest.mark.parametrize(
    ("content", "line", "text", "hint"),
    [
        (f"user_id\n{USER}", 1, "'user_id'", False),
        ("user_id,reason\nu1,left", 1, "'user_id,reason'", True),
        (f"u1\n\nu 2\n{USER}", 3, "'u 2'", True),
        ('"u1"', 1, "'\"u1\"'", True),
        ("u1\t7", 1, "'u1\\t7'", True),
        (f"{USER}\n" * 200_000 + "x;y\nx|y", 200_001, "'x;y'", True),
    ],
)
def test_a_header_several_columns_and_quotes_are_reported_with_their_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str, line: int, text: str, hint: bool
) -> None:
    write(tmp_path, users=content.encode(), tweets=TWEET.encode())
    wanted = set(content.split("\n")) - {""}
    for _ in range(2):
        assert set(ids(tmp_path)[1]) == wanted
    (told,) = caplog.messages
    assert told.startswith(f"{tmp_path / 'users'}: line {line}: {text} is not an id of 32 hexadecimal digits; ")
    assert told.endswith(SEVERAL) == hint


def test_what_is_no_list_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, **{"README.md": b"x y", ".hidden": b"x y", "tweets.tmp": b"x y", "users.sha256": b"x y"})
    assert read_deletions(tmp_path) == NO_DELETIONS


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "deletions").write_bytes(b"a\n")
    with pytest.raises(UserError, match="not a folder"):
        read_deletions(tmp_path / "deletions")


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    write(tmp_path, **{"tweets.gz": gzip.compress(b"a\n" * 1000)[:-8]})
    with pytest.raises(UserError, match=r"tweets\.gz: damaged"):
        read_deletions(tmp_path)


def test_the_digest_is_that_of_the_lists(tmp_path: Path) -> None:
    first = read_deletions(write(tmp_path, tweets=b"a\n")).digest
    again = read_deletions(tmp_path).digest
    (tmp_path / "README").write_bytes(b"about")
    with_readme = read_deletions(tmp_path).digest
    longer = read_deletions(write(tmp_path, tweets=b"a\nb\n")).digest
    assert first == again == with_readme != longer


@pytest.mark.parametrize(("content", "again"), [(USER, True), (TWEET, True), ("0" * 32 + "0", False), ("u1", False)])
def test_lists_of_the_challenge_s_ids_are_applied_anew_since_they_match_in_either_case(
    tmp_path: Path, content: str, again: bool
) -> None:
    """The digest noted by versions that matched the case of the list alone: of the SHA-256 of each list by name."""
    before = digest({"users": hashlib.sha256(content.encode()).hexdigest()})
    assert (read_deletions(write(tmp_path, users=content.encode())).digest != before) == again


BLANKS = " \t\v\f"
"""What may surround an id."""
LINE = st.text(st.characters(codec="utf-8", exclude_characters="\0\x01\r\n\ufeff"), max_size=50)
"""What a text of a part can hold; each character has at most 4 bytes."""


@given(st.lists(LINE, max_size=40), st.sampled_from(["\n", "\r\n"]), st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_token_is_read_as_it_is(tmp_path: Path, lines: list[str], end: str, ended: bool) -> None:
    write(tmp_path, users=(end.join(lines) + (end if ended else "")).encode())
    assert ids(tmp_path)[1] == sorted({line.strip(BLANKS) for line in lines} - {""})
