"""Reads the lists of deleted tweets and users in the folder `deletions`.

    tweets*, users*                             one id a line; any number of lists, plain, .gz, .zst or .lzo
    tsv_deleted_engaged_with_tweet_id/part-*    the challenge's lists of tweets
    tsv_deleted_user_id/part-*                  the challenge's lists of users
    README*, hidden files, _SUCCESS             skipped, as are indexes, checksums and unfinished files

What does not belong here: which rows the lists match (rows).
"""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from engage_pipeline.catalogue import digest
from engage_pipeline.errors import UserError
from engage_pipeline.files.raw_parts import UNFINISHED, check_link, list_parts
from engage_pipeline.ingest.parsing.streams import PartStream, open_part
from engage_pipeline.ingest.parsing.values import is_utf8
from engage_pipeline.locations.location import Location, entries
from engage_pipeline.plurals import counted
from engage_pipeline.schema import MAX_TEXT_BYTES

TWEETS, USERS = "tweets", "users"
FOLDERS = {"tsv_deleted_engaged_with_tweet_id": TWEETS, "tsv_deleted_user_id": USERS}
"""The folders in which the challenge ships its lists, as parts."""
LOGGER = logging.getLogger("engage_pipeline")
_BLOCK_BYTES = 4 << 20
_BOM = b"\xef\xbb\xbf"
_SEVERAL = r"""[\s\p{Z}\p{C},;"'|]"""
"""Characters of lines with several columns or quotes. Ids of a part may have them, those of most data don't."""

_BESIDE = f"(?:^|{_SEVERAL})[0-9A-Fa-f]{{32}}{_SEVERAL}|{_SEVERAL}[0-9A-Fa-f]{{32}}$"
_NO_ID = rf"[\x00\x01\r]|{_BESIDE}"
"""What no id has: characters that no part can hold, and an id of the challenge beside another column or in quotes.
Without this check, a list of several columns would match and delete nothing."""

CHALLENGE_ID = "^[0-9A-Fa-f]{32}$"
"""The form of the challenge's ids. Other texts are used unchanged, with a warning: they may be truncated ids."""

_MATCHING = {"ids of 32 hexadecimal digits": "in capitals and in small letters"}
"""Part of the digest of lists with such ids. Before, they matched as they are written alone: parts to which a list was
applied then are searched again."""


@dataclass(frozen=True)
class Deletions:
    """Deleted ids, each once (string arrays), the names of their lists, and the digest of these lists.

    `digest` is None if nothing is deleted.
    """

    tweets: pa.StringArray
    users: pa.StringArray
    lists: tuple[str, ...]
    digest: str | None

    def __bool__(self) -> bool:
        """Returns whether any id is deleted."""
        return len(self.tweets) + len(self.users) > 0

    def __str__(self) -> str:
        """Returns the sizes as text for people."""
        tweets, users = counted(len(self.tweets), "tweet"), counted(len(self.users), "user")
        return f"{tweets} and {users} in {counted(len(self.lists), 'list')}"


NO_DELETIONS = Deletions(pa.nulls(0, pa.string()), pa.nulls(0, pa.string()), (), None)  # pa.array imports pandas


def read_deletions(folder: Location, *, follow_links: bool = False) -> Deletions:
    """Reads the lists in `folder`; NO_DELETIONS if there is no such folder or no list in it.

    A list with an id in another form than the challenge's is logged, once per process.

    Raises UserError: not a folder, a file whose name begins with neither tweets nor users, a link that leads out of the
    folder unless `follow_links`, a list that can't be read, a line that can't be an id of a part.
    """
    lists = _lists(folder, follow_links=follow_links)
    if not lists:
        return NO_DELETIONS
    found: dict[str, list[pa.Array]] = {TWEETS: [], USERS: []}
    contents = {}
    for name, (kind, path) in lists.items():
        content = hashlib.sha256()
        found[kind] += _ids(path, content)
        contents[name] = content.hexdigest()
    tweets, users = (pa.chunked_array(found[kind], pa.string()).unique() for kind in (TWEETS, USERS))
    if not len(tweets) + len(users):
        return Deletions(tweets, users, tuple(contents), None)
    either_case = any(pc.any(pc.match_substring_regex(ids, CHALLENGE_ID)).as_py() for ids in (tweets, users))
    return Deletions(tweets, users, tuple(contents), digest(contents | (_MATCHING if either_case else {})))


def _lists(folder: Location, *, follow_links: bool) -> dict[str, tuple[str, Location]]:
    """Returns the kind (TWEETS or USERS) and the file of each list, by its name in `folder`."""
    if not folder.exists():
        return {}
    if not folder.is_dir():
        raise UserError(f"{folder}: not a folder (setting deletions)")
    lists: dict[str, tuple[str, Location]] = {}
    for path in entries(folder):
        if path.name.startswith((".", "README", "_SUCCESS")) or path.name.endswith(UNFINISHED):
            continue
        check_link(path, folder, follow_links=follow_links)
        if path.name in FOLDERS and path.is_dir():
            listing = list_parts(path, follow_links=follow_links)
            if listing.problems:
                raise UserError(next(iter(listing.problems.values())))
            lists |= {f"{path.name}/{part.name}": (FOLDERS[path.name], part) for part in listing.parts.values()}
        elif path.name.startswith((TWEETS, USERS)) and path.is_file():
            lists[path.name] = (TWEETS if path.name.startswith(TWEETS) else USERS, path)
        else:
            raise UserError(
                f"{path}: is it a list of deleted tweets or users? Lists are files tweets* and users*, or part-* in "
                f"the folders {' and '.join(FOLDERS)}"
            )
    return lists


def _ids(path: Location, content: "hashlib._Hash") -> Iterator[pa.Array]:
    """Yields the ids of one list in blocks, and updates the hash `content` with the decompressed bytes."""
    if not path.stat().st_size:
        return
    with open_part(path) as stream:
        first = 1
        odd: tuple[int, str] | None = None
        several: tuple[int, str] | None = None
        for block in _blocks(stream):
            content.update(block)
            lines = block.removeprefix(_BOM).split(b"\n") if first == 1 else block.split(b"\n")
            ids = _checked(path, [line.strip() for line in lines], first)
            odd = odd or _first_odd(ids, first)
            several = several or _first(ids, pc.match_substring_regex(ids, _SEVERAL), first)
            yield ids.filter(pc.not_equal(ids, ""))
            first += len(lines) - 1
    if several:  # tells more than the first odd line, which may be an id of other data
        _report_once(path, *several, "; is it several columns, a header or a quoted id? A list has one id a line")
    elif odd:
        _report_once(path, *odd)


def _first_odd(ids: pa.StringArray, first: int) -> tuple[int, str] | None:
    """Returns number and text of the first line that is neither blank nor in the form of the challenge's ids."""
    return _first(ids, pc.invert(pc.or_(pc.match_substring_regex(ids, CHALLENGE_ID), pc.equal(ids, ""))), first)


def _first(ids: pa.StringArray, wanted: pa.BooleanArray, first: int) -> tuple[int, str] | None:
    """Returns number and text of the first line that is `wanted`, bool (n,)."""
    place = pc.index(wanted, True).as_py()
    return (first + place, ids[place].as_py()) if place >= 0 else None


@lru_cache(maxsize=256)
def _report_once(path: Location, line: int, text: str, hint: str = "") -> None:
    LOGGER.warning(
        "%s: line %d: %r is not an id of 32 hexadecimal digits; it deletes only this exact id%s",
        path,
        line,
        text[:50],
        hint,
    )


def _blocks(stream: PartStream) -> Iterator[bytes]:
    """Yields the bytes in blocks of whole lines."""
    rest = b""
    while data := stream.read(_BLOCK_BYTES):
        end = data.rfind(b"\n") + 1
        if end:
            yield rest + data[:end]
            rest = data[end:]
        elif len(rest := rest + data) > _BLOCK_BYTES:
            raise UserError(f"{stream.path}: a line of more than {_BLOCK_BYTES:,} bytes; is this a list of ids?")
    if rest:
        yield rest


def _checked(path: Location, lines: list[bytes], first: int) -> pa.Array:
    """Returns the lines as strings. `first` is the number of the first line, from 1.

    Raises UserError: a line that no part can hold as an id.
    """
    try:
        ids = pa.array(lines, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        number = next(number for number, line in enumerate(lines, first) if not is_utf8(line))
        raise UserError(f"{path}: line {number}: invalid UTF-8") from None
    wrong = pc.or_(pc.match_substring_regex(ids, _NO_ID), pc.greater(pc.binary_length(ids), MAX_TEXT_BYTES))
    if found := _first(ids, wrong, first):
        raise UserError(f"{path}: line {found[0]}: {found[1][:50]!r} is not one id")
    return ids
