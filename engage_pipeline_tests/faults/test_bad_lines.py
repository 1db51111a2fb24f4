"""Every kind of bad line in one part of a world: each is rejected once with its bytes, the rest is as without it."""

from collections import Counter
from pathlib import Path

import pytest

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline_tests import worlds
from engage_pipeline_tests.faults.raw import ingest, manifest_of, part_of, rejects_of, rows_of
from engage_pipeline_tests.orchestration.checks.looking import failed, look

pytestmark = pytest.mark.long


def changed(line: bytes, **values: bytes) -> bytes:
    """The line with some fields changed."""
    fields = dict(zip(schema.COLUMN_NAMES, line.split(b"\x01"), strict=True)) | values
    return b"\x01".join(fields.values())


def bad_lines(line: bytes) -> list[tuple[str, bytes]]:
    """The kind of reject and the bytes of a line for every fault, made of a good line."""
    integer, boolean, tokens = "engaging_user_follower_count", "engaging_user_is_verified", "text_tokens"
    integers = [
        b"1.5",
        b"0x10",
        b"+5",
        b"1e3",
        b"1_000",
        b" 7",
        b"9223372036854775808",
        b"-9223372036854775809",
        b"NaN",
    ]
    return [
        ("columns", line.rpartition(b"\x01")[0]),
        ("columns", line + b"\x01"),
        ("columns", b"\x01".join(line.split(b"\x01")[:20])),
        ("columns", b"no interaction at all"),
        ("encoding", changed(line, language=b"\xff\xfe")),
        ("encoding", changed(line, tweet_id=b"\xc3")),
        ("NUL", changed(line, language=b"e\0n")),
        ("carriage return", changed(line, language=b"e\rn")),
        ("length", changed(line, hashtags=b"x" * 3_000_000)),
        *((integer, changed(line, **{integer: text})) for text in integers),
        ("like_timestamp", changed(line, like_timestamp=b"1612483200.0")),
        ("engagement_day", changed(line, like_timestamp=b"9223372036854775807")),
        *((boolean, changed(line, **{boolean: text})) for text in (b"True", b"1", b"yes")),
        *((tokens, changed(line, **{tokens: text})) for text in (b"101\t-5\t102", b"101\t119547\t102", b"101 102")),
    ]


GOOD_ODDITIES = {"text_tokens": b"", "hashtags": b"", "engaging_user_follower_count": b"-12", "tweet_type": b"Poll"}
"""What is odd but readable: no tokens at all, a negative count, an unknown type."""


def test_every_kind_of_bad_line_is_counted_once_and_the_rest_is_used(ingested: Path) -> None:
    rows = rows_of(ingested)
    worlds.write_config(ingested.parent, ingest={"max_rejected_share": 0.05})
    lines = part_of(ingested).read_bytes().splitlines()
    bad = bad_lines(lines[0])
    mixed: list[tuple[str | None, bytes]] = [(None, line) for line in lines]
    for place, fault in enumerate(bad):
        mixed.insert(37 * place, fault)  # type: ignore[arg-type]
    mixed.insert(500, ("blank", b""))
    mixed.insert(501, ("blank", b""))
    odd = changed(lines[0], tweet_id=b"odd", **GOOD_ODDITIES)
    mixed.append((None, odd))
    ends = [b"\r\n" if number % 7 == 0 else b"\n" for number in range(len(mixed))]
    text = b"".join(line + end for (_, line), end in zip(mixed, ends, strict=True))
    part_of(ingested).write_bytes(b"\xef\xbb\xbf" + text)
    ingest(ingested)

    rejected = [(number, kind, line) for number, (kind, line) in enumerate(mixed) if kind not in {None, "blank"}]
    found = [(one["line_number"], one["reason"].partition(":")[0], one["raw"]) for one in rejects_of(ingested)]
    assert found == rejected
    assert {one["file"] for one in rejects_of(ingested)} == {"part-00001"}
    facts = manifest_of(ingested).facts
    assert facts["reasons"] == Counter(kind for _, kind, _ in rejected)
    assert (facts["lines"], facts["blank"], facts["rejected"]) == (len(mixed), 2, len(bad))
    assert facts["rows"] + facts["rejected"] + facts["blank"] == facts["lines"]
    read = rows_of(ingested)
    numbers = [number for number, (kind, _) in enumerate(mixed) if kind is None]
    assert [row.pop("line_number") for row in read] == numbers
    *same, last = read
    assert same == [{name: value for name, value in row.items() if name != "line_number"} for row in rows]
    assert (last["tweet_id"], last["text_tokens"], last["hashtags"]) == ("odd", b"", [])
    assert (last["engaging_user_follower_count"], facts["unknown_tweet_types"]) == (-12, {"Poll": 1})
    assert failed(look(ingested, "tweet_parts")) == {}
    worlds.run(ingested, "interaction_counts")
    assert worlds.store_of(ingested).open("interaction_counts").manifest.rows == 3050 + 1


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n\n\r\n"])
def test_an_empty_part_fails_and_leaves_the_published_one(ingested: Path, content: bytes) -> None:
    before = manifest_of(ingested)
    part_of(ingested).write_bytes(content)
    with pytest.raises(UserError, match=r"part-00001: (the file is empty|none of its 3 lines is an interaction)"):
        ingest(ingested)
    assert manifest_of(ingested) == before
    assert len(rows_of(ingested)) == before.rows
