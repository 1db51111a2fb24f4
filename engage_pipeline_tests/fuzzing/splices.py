"""How content is mutated: random bytes spliced in, or values of a tree of lists and dicts replaced by odd ones."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

ODD = (
    b"\n", b"\r", b"\r\n", b"\0", b"\x01", b"\t", b"\x01\x01", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf",
    b'"', b"'", b",", b"\\", b"1.5", b"0x10", b"+5", b"-", b"1e9", b"1_0", b"NaN", b"inf", b"true", b"False", b"null",
    b"{", b"]", b": ", b"- ", b"!!python/object/apply:os.system [x]", b"*a", b"&a ", b"99999999999999999999", b"-1",
    b"-9223372036854775808", b"119547", b"../", b"/etc/passwd", "é😀".encode(), "٣".encode(), b"",
)  # fmt: skip
"""Bytes that mean something to one of the formats."""
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 2**70, float("nan"), float("inf"), "", "..", ".", "../..", "/etc", "a/b", "a\0b", "\ud800",
    "~nobody/x", "x" * 5000, [], [[]], ["x"], {}, {"x": 1}, [None], {"tweets.parquet": None},
)  # fmt: skip
"""Values that one format or another might not expect."""


@dataclass(frozen=True)
class Splice:
    """`removed` bytes after the share `at` of the content are replaced by `inserted`."""

    at: float
    removed: int
    inserted: bytes


def spliced(content: bytes, splices: Sequence[Splice]) -> bytes:
    """The content after the splices, one after the other."""
    for splice in splices:
        place = int(splice.at * (len(content) + 1))
        content = content[:place] + splice.inserted + content[place + splice.removed :]
    return content


def random_splices(rng: random.Random) -> list[Splice]:
    """One to three splices: mostly few bytes, at times a whole stretch removed or inserted."""
    return [
        Splice(
            rng.random(),
            rng.choice((0, 0, 0, 1, 1, 2, 5, 40, 400)),
            rng.choice((rng.choice(ODD), rng.randbytes(rng.choice((1, 1, 2, 4, 30))))),
        )
        for _ in range(rng.choice((1, 1, 2, 3)))
    ]


def splices() -> st.SearchStrategy[list[Splice]]:
    """The same for hypothesis, which shrinks them."""
    inserted = st.one_of(st.sampled_from(ODD), st.binary(max_size=30))
    place = st.floats(0, 1, exclude_max=True, allow_subnormal=False)
    return st.lists(st.builds(Splice, place, st.integers(0, 400), inserted), min_size=1, max_size=3)


def replace_value(tree: Any, rng: random.Random) -> None:
    """Removes a value anywhere in a tree of lists and dicts, or puts an odd one in its place."""
    holder, place = rng.choice(list(_places(tree)))
    if rng.random() < 0.2:
        del holder[place]
    else:
        holder[place] = rng.choice(VALUES)


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for place, below in items:
        yield tree, place
        yield from _places(below)
