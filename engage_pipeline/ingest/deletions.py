"""The lists of deleted tweets and users: what the folder `deletions` holds.

    tweets*, users*          one id a line; any number of lists, plain, .gz, .zst or .lzo
    README*, hidden files    passed over, as are checksums and files that are not finished yet

What belongs here: reading and checking the lists. What does not: which rows they hit (deleted_rows).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from engage_pipeline.catalogue import digest
from engage_pipeline.errors import UserError
from engage_pipeline.ingest.parts import UNFINISHED, check_link
from engage_pipeline.ingest.streams import PartStream, open_part
from engage_pipeline.plurals import counted

TWEETS, USERS = "tweets", "users"
_BLOCK_BYTES = 4 << 20
_MAX_ID_BYTES = 200
_BOM = b"\xef\xbb\xbf"
_NO_ID = r"""[\s\p{Z}\p{C},;"'|]"""
"""What can't stand in an id. A list with more than one column would else match nothing, and nothing be deleted."""


@dataclass(frozen=True)
class Deletions:
    """Deleted ids, each once (string arrays), the names of the lists they come from, and a digest of these lists.

    `digest` is None where nothing is deleted.
    """

    tweets: pa.StringArray
    users: pa.StringArray
    lists: tuple[str, ...]
    digest: str | None

    def __bool__(self) -> bool:
        """Whether any id is deleted."""
        return len(self.tweets) + len(self.users) > 0

    def __str__(self) -> str:
        """The sizes, for people."""
        tweets, users = counted(len(self.tweets), "tweet"), counted(len(self.users), "user")
        return f"{tweets} and {users} in {counted(len(self.lists), 'list')}"


NO_DELETIONS = Deletions(pa.array([], pa.string()), pa.array([], pa.string()), (), None)


def read_deletions(folder: Path, *, follow_links: bool = False) -> Deletions:
    """The lists in `folder`; NO_DELETIONS where there is no such folder or no list in it.

    Raises UserError: not a folder, a file whose name says neither tweets nor users, a link that leads out of the folder
    unless `follow_links`, a list that can't be read, a line that is no id.
    """
    lists = _lists(folder, follow_links=follow_links)
    if not lists:
        return NO_DELETIONS
    found: dict[str, list[pa.Array]] = {TWEETS: [], USERS: []}
    contents = {}
    for path in lists:
        kind = TWEETS if path.name.startswith(TWEETS) else USERS
        content = hashlib.sha256()
        found[kind] += _ids(path, content)
        contents[path.name] = content.hexdigest()
    tweets, users = (pa.chunked_array(found[kind], pa.string()).unique() for kind in (TWEETS, USERS))
    return Deletions(tweets, users, tuple(contents), digest(contents) if len(tweets) + len(users) else None)


def _lists(folder: Path, *, follow_links: bool) -> list[Path]:
    if not folder.exists():
        return []
    if not folder.is_dir():
        raise UserError(f"{folder}: not a folder (setting deletions)")
    lists = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "README")) or path.name.endswith(UNFINISHED):
            continue
        check_link(path, folder, follow_links=follow_links)
        if not path.name.startswith((TWEETS, USERS)) or not path.is_file():
            raise UserError(f"{path}: is it a list of deleted tweets or users? Lists are files tweets* and users*")
        lists.append(path)
    return lists


def _ids(path: Path, content: "hashlib._Hash") -> Iterator[pa.Array]:
    """The ids of one list in blocks, whose bytes, decompressed, go into `content` too."""
    if not path.stat().st_size:
        return
    with open_part(path) as stream:
        first = 1
        for block in _blocks(stream):
            content.update(block)
            lines = block.removeprefix(_BOM).split(b"\n") if first == 1 else block.split(b"\n")
            yield _checked(path, [line.strip() for line in lines], first)
            first += len(lines) - 1


def _blocks(stream: PartStream) -> Iterator[bytes]:
    """The bytes in blocks that end where a line does."""
    rest = b""
    while data := stream.read(_BLOCK_BYTES):
        end = data.rfind(b"\n") + 1
        if end:
            yield rest + data[:end]
            rest = data[end:]
        elif len(rest := rest + data) > _BLOCK_BYTES:
            raise UserError(f"{stream.path}: a line of more than {_BLOCK_BYTES:,} bytes: this is no list of ids")
    if rest:
        yield rest


def _checked(path: Path, lines: list[bytes], first: int) -> pa.Array:
    """The lines that are not blank as strings. `first` is the number of the first, from 1."""
    try:
        ids = pa.array(lines, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        number = next(number for number, line in enumerate(lines, first) if not _is_utf8(line))
        raise UserError(f"{path}: line {number}: invalid UTF-8") from None
    wrong = pc.or_(pc.match_substring_regex(ids, _NO_ID), pc.greater(pc.binary_length(ids), _MAX_ID_BYTES))
    place = pc.index(wrong, True).as_py()
    if place >= 0:
        raise UserError(f"{path}: line {first + place}: {ids[place].as_py()[:50]!r} is not one id")
    return ids.filter(pc.not_equal(ids, ""))


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
