"""Ingested parts without what was deleted: byte for byte as if the lines had never been there."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engage_pipeline import schema
from engage_pipeline.engines.duckdb import DuckDBEngine
from engage_pipeline.errors import UserError
from engage_pipeline.files.raw_parts import find_parts
from engage_pipeline.ingest.deletions.forgetting import Forgotten, enter_replaced, forget_rows, raw_files, waiting
from engage_pipeline.ingest.deletions.lists import Deletions, read_deletions
from engage_pipeline.ingest.deletions.rows import DeletedRows
from engage_pipeline.ingest.facts import IngestedFacts
from engage_pipeline.ingest.part_ingest import ingest_part
from engage_pipeline.ingest.rejects import Reject, RejectWriter, read_rejects
from engage_pipeline.ingest.report import facts_of_parts
from engage_pipeline.ingest.side_files import SideFiles
from engage_pipeline.ingest.validation_split import validation_split
from engage_pipeline.store.deletion_ledger import LEDGER, predating
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.synthetic import synthesize
from engage_pipeline_tests.samples import tiny_settings
from engage_pipeline_tests.traces import traces

SEPARATOR = schema.FIELD_SEPARATOR.encode()
TWEET, AUTHOR, VIEWER = (
    schema.COLUMN_NAMES.index(name) for name in ("tweet_id", "engaged_with_user_id", "engaging_user_id")
)
SPLIT = partial(validation_split, seed=1, holdout_share=0.2, chunks=3)
OF_THE_MAKING = {"seconds", "blank", "forgotten", "forgotten_rows", "deletions"}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two training parts, a validation part and two test parts."""
    folder = tmp_path_factory.mktemp("raw")
    synthesize(folder, rows=900, users=90, parts=2, seed=3)
    test = folder / "test" / "part-00000"
    half = len(lines_of(test)) // 2
    (folder / "test" / "part-00001").write_bytes(b"\n".join(lines_of(test)[half:]) + b"\n")
    test.write_bytes(b"\n".join(lines_of(test)[:half]) + b"\n")
    return folder


@pytest.fixture(scope="module")
def ingested(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with every part ingested and nothing deleted."""
    folder = tmp_path_factory.mktemp("ingested")
    ingest(store_in(folder, raw))
    return folder


@pytest.fixture
def store(ingested: Path, raw: Path, tmp_path: Path) -> ArtifactStore:
    """A copy of it, as far from the raw parts, which manifests name relative to it."""
    shutil.copytree(ingested / "data", tmp_path / "data")
    return store_in(tmp_path, raw)


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().removesuffix(b"\n").split(b"\n")


def fields(path: Path, *columns: int) -> list[str]:
    """The values of some columns in the lines of a part, each once, sorted."""
    return sorted({line.split(SEPARATOR)[column].decode() for line in lines_of(path) for column in columns})


def store_in(folder: Path, raw: Path) -> ArtifactStore:
    places = {"recsys_data": raw / "train", "validation_part": raw / "validation", "test_data": raw / "test"}
    strict = {"ingest": {"max_rejected_share": 0.5}, "deletions": str(folder / "deletions")}
    return ArtifactStore(tiny_settings(folder / "data", **{name: str(path) for name, path in places.items()}, **strict))


def delete(store: ArtifactStore, tweets: Iterable[str] = (), users: Iterable[str] = ()) -> Deletions:
    folder = store.settings.deletions
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tweets").write_text("\n".join(tweets), encoding="utf-8")
    (folder / "users").write_text("\n".join(users), encoding="utf-8")
    return read_deletions(folder)


def ingest(store: ArtifactStore) -> None:
    """Every raw part, as the assets do."""
    deletions = read_deletions(store.settings.deletions)
    for key, source in find_parts(store.settings.recsys_data).items():
        _ingest_labelled(store, "tweet_parts", key, source, deletions)
    (validation,) = find_parts(store.settings.validation_part).values()
    _ingest_labelled(store, "validation_tweets", None, validation, deletions, split=SPLIT)
    parts = find_parts(store.settings.test_data)
    with store.publish("test_tweets", None, list(parts.values())) as draft:
        facts = {}
        for part, source in parts.items():
            tweets, rejects = draft.path(f"{part}.parquet"), draft.path(f"{part}.rejects.parquet")
            options: dict[str, Any] = {"settings": store.settings, "labelled": False, "order": "line"}
            options["side_files"] = SideFiles(draft.path(f"{part}.sample.parquet"))
            facts[part] = ingest_part(source, tweets=tweets, rejects=rejects, deletions=deletions, **options).facts()
        draft.rows = sum(figures.rows for figures in facts.values())
        draft.record(facts_of_parts(facts))
        draft.record(IngestedFacts(deletions=deletions.digest))


def _ingest_labelled(
    store: ArtifactStore,
    name: str,
    key: str | None,
    source: Path,
    deletions: Deletions,
    split: Callable[..., Any] | None = None,
) -> None:
    with store.publish(name, key, [source]) as draft:
        tweets, rejects = draft.path("tweets.parquet"), draft.path("rejects.parquet")
        options: dict[str, Any] = {"settings": store.settings, "labelled": True, "order": "day", "split": split}
        options["side_files"] = SideFiles.within(draft.directory)
        report = ingest_part(source, tweets=tweets, rejects=rejects, deletions=deletions, **options)
        draft.rows = report.rows
        draft.record(report.facts())
        draft.record(IngestedFacts(deletions=deletions.digest))


ALL = [("tweet_parts", "part-00000"), ("tweet_parts", "part-00001"), ("validation_tweets", None), ("test_tweets", None)]


def state(store: ArtifactStore, but: Iterable[str] = ("seconds",)) -> dict[str, Any]:
    """Everything of the ingested artifacts that must not depend on how they came about."""
    found = {}
    for name, key in ALL:
        manifest = store.manifest(name, key)
        assert manifest
        facts = {fact: value for fact, value in manifest.facts.items() if fact not in but and fact != "parts"}
        for part, figures in manifest.facts.get("parts", {}).items():
            facts[part] = {fact: value for fact, value in figures.items() if fact not in but}
        found[f"{name}/{key}"] = (manifest.version, manifest.rows, manifest.files, facts)
    return found


def blanked(raw: Path, folder: Path, hit: Callable[[bytes], bool]) -> Path:
    """The raw parts with a blank line for every line that is `hit`."""
    for path in sorted(raw.glob("*/part-*")):
        target = folder / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"\n".join(b"" if hit(line) else line for line in lines_of(path)) + b"\n")
    return folder


def hits(line: bytes, tweets: set[str], users: set[str]) -> bool:
    values = [value.decode(errors="replace") for value in line.split(SEPARATOR)]
    return values[TWEET] in tweets or values[AUTHOR] in users or values[VIEWER] in users


def forget(store: ArtifactStore) -> Forgotten:
    return forget_rows(store, read_deletions(store.settings.deletions))


@pytest.mark.parametrize(("seed", "n_tweets", "n_users"), [(1, 12, 0), (2, 1, 5), (3, 30, 20), (4, 0, 0)])
def test_forgetting_gives_what_an_ingest_without_the_lines_gives(
    raw: Path, store: ArtifactStore, tmp_path: Path, seed: int, n_tweets: int, n_users: int
) -> None:
    rng = random.Random(seed)
    parts = sorted(raw.glob("*/part-*"))
    tweets = set(rng.sample(sorted({one for path in parts for one in fields(path, TWEET)}), n_tweets))
    users = set(rng.sample(sorted({one for path in parts for one in fields(path, AUTHOR, VIEWER)}), n_users))
    rewritten, fresh = store, store_in(tmp_path / "fresh", raw)
    for lists in ((sorted(tweets)[:3], sorted(users)[:1]), (tweets, users)):
        for one in (rewritten, fresh):
            delete(one, *lists)
        assert forget(rewritten).problems == {}
    ingest(fresh)
    assert state(rewritten) == state(fresh)
    assert traces(rewritten.root, tweets | users) == {}
    without = store_in(tmp_path / "without", blanked(raw, tmp_path / "blanked", lambda line: hits(line, tweets, users)))
    ingest(without)
    assert state(rewritten, OF_THE_MAKING) == state(without, OF_THE_MAKING)


def test_only_parts_that_hold_something_are_rewritten_and_none_is_looked_at_twice(
    raw: Path, store: ArtifactStore
) -> None:
    before = state(store, ["deletions"])
    train = raw / "train"
    only = set(fields(train / "part-00001", TWEET)) - set(fields(train / "part-00000", TWEET))
    delete(store, sorted(only)[:3])
    assert waiting(store) == {"tweet_parts/part-00000", "tweet_parts/part-00001", "validation_tweets", "test_tweets"}
    done = forget(store)
    assert list(done.lines) == ["tweet_parts/part-00001"]
    assert done.looked_through == 4
    after = state(store, ["deletions"])
    assert {name for name in before if before[name] != after[name]} == {"tweet_parts/part-00001"}
    assert waiting(store) == set()
    assert forget(store).looked_through == 0


def test_every_line_is_accounted_for_and_the_raw_files_are_told(raw: Path, store: ArtifactStore) -> None:
    viewers = set(fields(raw / "train" / "part-00000", VIEWER)[:4])
    delete(store, [], viewers)
    forget(store)
    expected = {
        str(path): count
        for path in raw.glob("*/part-*")
        if (count := sum(hits(line, set(), viewers) for line in lines_of(path)))
    }
    assert raw_files(store) == expected
    for name, key in ALL:
        manifest = store.manifest(name, key)
        assert manifest
        for facts in manifest.facts.get("parts", {None: manifest.facts}).values():
            assert facts["rows"] + facts["rejected"] + facts["blank"] + facts["forgotten"] == facts["lines"]
            assert facts["forgotten_rows"] <= facts["forgotten"]


def test_an_id_taken_off_a_list_comes_back_by_another_ingest_only(raw: Path, store: ArtifactStore) -> None:
    before = state(store, ["deletions", "seconds"])
    delete(store, fields(raw / "train" / "part-00000", TWEET)[:2])
    forget(store)
    without = state(store, ["deletions", "seconds"])
    delete(store, ["no-such-id"])
    assert forget(store).lines == {}
    assert state(store, ["deletions", "seconds"]) == without != before
    ingest(store)
    assert state(store, ["deletions", "seconds"]) == before


def test_no_lists_change_nothing(raw: Path, store: ArtifactStore) -> None:
    before = state(store, [])
    assert forget(store) == Forgotten()
    delete(store)
    assert forget(store) == Forgotten()
    assert state(store, []) == before
    assert predating(store) == {}


def test_a_part_without_a_row_left_is_an_empty_part(raw: Path, store: ArtifactStore) -> None:
    delete(store, fields(raw / "train" / "part-00001", TWEET))
    forget(store)
    version = store.open("tweet_parts", "part-00001")
    assert (version.manifest.rows, version.manifest.facts["days"]) == (0, "none")
    assert pq.read_schema(version.path("tweets.parquet")).equals(schema.tweet_schema(labelled=True))


def broken_parts(raw: Path, folder: Path, damages: Sequence[Callable[[bytes], bytes]]) -> Path:
    """The raw parts with every tenth line damaged, in one way after the other."""
    for path in sorted(raw.glob("*/part-*")):
        target = folder / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        lines = lines_of(path)
        for turn, number in enumerate(range(3, len(lines), 10)):
            lines[number] = damages[turn % len(damages)](lines[number])
        target.write_bytes(b"\n".join(lines) + b"\n")
    return folder


def with_field(line: bytes, column: int, value: bytes) -> bytes:
    values = line.split(SEPARATOR)
    values[column] = value
    return SEPARATOR.join(values)


DAMAGES: tuple[Callable[[bytes], bytes], ...] = (
    lambda line: SEPARATOR.join(line.split(SEPARATOR)[: VIEWER + 1]),
    lambda line: line + SEPARATOR + b"x",
    lambda line: line.replace(SEPARATOR, b" "),
    lambda line: line + b"\xff",
    lambda line: with_field(line, 0, b"1o1"),
    lambda line: line.replace(SEPARATOR, b"\0", 1),
    lambda line: with_field(line, TWEET, b"F" + line.split(SEPARATOR)[TWEET] + b"\xff"),
    lambda line: with_field(line, 8, line.split(SEPARATOR)[TWEET] + b"0"),
)


def test_rejected_lines_that_hold_an_id_go_too(raw: Path, tmp_path: Path) -> None:
    broken = broken_parts(raw, tmp_path / "raw", DAMAGES)
    tweets = {line.split(SEPARATOR)[TWEET].decode() for path in raw.glob("*/part-*") for line in lines_of(path)[3::10]}
    tweets = set(sorted(tweets)[::2])
    rewritten, fresh = store_in(tmp_path / "rewritten", broken), store_in(tmp_path / "fresh", broken)
    ingest(rewritten)
    assert any("rejects.parquet" in name for name in traces(rewritten.root, tweets))
    for store in (rewritten, fresh):
        delete(store, tweets)
    forget(rewritten)
    ingest(fresh)
    assert traces(rewritten.root, tweets) == {}
    assert state(rewritten) == state(fresh)
    hit = {
        str(path): sum(any(one.encode() in line for one in tweets) for line in lines_of(path))
        for path in broken.glob("*/part-*")
    }
    assert raw_files(rewritten) == hit
    kept = [pq.read_table(path).num_rows for path in rewritten.root.rglob("*rejects.parquet")]
    assert sum(kept) > 5


def ids_set(line: bytes, tweet: str, author: str, viewer: str) -> bytes:
    for column, value in ((TWEET, tweet), (AUTHOR, author), (VIEWER, viewer)):
        line = with_field(line, column, value.encode())
    return line


def labelled_part(folder: Path, raw: Path, ids: Sequence[tuple[str, str, str]]) -> Path:
    """A training part with these tweets, authors and viewers, each also in a line that is rejected."""
    folder.mkdir(exist_ok=True)
    lines = [ids_set(line, *its) for line, its in zip(lines_of(raw / "train" / "part-00000"), ids, strict=False)]
    (folder / "part-00000").write_bytes(b"\n".join([*lines, *(line + SEPARATOR + b"x" for line in lines)]) + b"\n")
    return folder / "part-00000"


def kept_lines(store: ArtifactStore) -> tuple[list[int], list[int]]:
    """The line numbers of the rows and of the rejected lines of part-00000, sorted."""
    version = store.open("tweet_parts", "part-00000")
    rows = pq.read_table(version.path("tweets.parquet"), columns=["line_number"])["line_number"].to_pylist()
    return sorted(rows), [reject.line for reject in read_rejects(version.path("rejects.parquet"))]


@pytest.mark.parametrize("at_ingest", [True, False])
@pytest.mark.parametrize("change", [str.lower, str.upper])
def test_an_id_of_the_challenge_s_form_matches_in_capitals_and_in_small_letters(
    raw: Path, tmp_path: Path, change: Callable[[str], str], at_ingest: bool
) -> None:
    tweet, author, viewer = (letter * 31 + "1" for letter in ("a", "b", "c"))
    others = ["u" * 30 + "Ab", "abc", "e" * 31, "D" * 33]  # not of the form: they match as they are written alone
    rows = [(tweet.upper(), "a", "v"), ("t", author.upper(), "v"), ("t", "a", viewer)]
    rows += [("t", "a", one) for one in others]
    store = store_in(tmp_path, raw)
    source = labelled_part(tmp_path / "parts", raw, rows)
    if not at_ingest:
        _ingest_labelled(store, "tweet_parts", "part-00000", source, read_deletions(store.settings.deletions))
    users = [change(author), change(viewer), *(one.swapcase() for one in others)]
    deletions = delete(store, [change(tweet)], users)
    if at_ingest:
        _ingest_labelled(store, "tweet_parts", "part-00000", source, deletions)
    else:
        assert forget(store).lines == {"tweet_parts/part-00000": 6}
    # rows 3 to 6, and the lines of the same ids that are rejected
    assert kept_lines(store) == ([3, 4, 5, 6], [10, 11, 12, 13])


@pytest.mark.parametrize(
    "odd", ["tenant|170", "O'Neil1", "a b2", "x,y3", "a;b4", '"q"5', "a\tb", "\u200bz", "e\u00a0f"]
)
@pytest.mark.parametrize("column", [TWEET, AUTHOR, VIEWER])
def test_any_id_that_a_part_holds_can_be_deleted(raw: Path, tmp_path: Path, column: int, odd: str) -> None:
    ids = [["t0", "a0", "v0"], ["t1", "a1", "v1"]]
    ids[1][(TWEET, AUTHOR, VIEWER).index(column)] = odd
    store = store_in(tmp_path, raw)
    source = labelled_part(tmp_path / "parts", raw, [(one[0], one[1], one[2]) for one in ids])
    _ingest_labelled(store, "tweet_parts", "part-00000", source, read_deletions(store.settings.deletions))
    assert kept_lines(store) == ([0, 1], [2, 3])
    delete(store, *(([odd], []) if column == TWEET else ([], [odd])))
    assert forget(store).lines == {"tweet_parts/part-00000": 2}
    assert kept_lines(store) == ([0], [2])


def rejected(folder: Path, lines: Sequence[bytes]) -> Path:
    """A file of rejected lines."""
    path = folder / "rejects.parquet"
    with RejectWriter(path, "part-00000") as writer:
        for number, line in enumerate(lines):
            writer.append(Reject(number, "columns: too few", line))
    return path


def found_in(rejects: Path, tweets: Sequence[str], users: Sequence[str]) -> set[int]:
    """The rejected lines with one of the ids."""
    deletions = Deletions(pa.array(tweets, pa.string()), pa.array(users, pa.string()), ("tweets",), "digest")
    with DuckDBEngine(tiny_settings(rejects.parent / "data"), readable=[rejects.parent]) as engine:
        return DeletedRows(engine, deletions).in_rejects(rejects)


LETTERS = st.text("AB0 é\N{GRINNING FACE}", min_size=1, max_size=3)


@settings(max_examples=40, deadline=None)
@given(
    lines=st.lists(st.lists(LETTERS | st.sampled_from(" \x01x"), max_size=6).map("".join), max_size=9),
    torn=st.binary(max_size=2),
    tweets=st.sets(LETTERS, max_size=4),
    users=st.sets(LETTERS, max_size=4),
    at_once=st.integers(1, 9),
)
def test_an_id_is_found_anywhere_in_a_rejected_line(
    lines: list[str],
    torn: bytes,
    tweets: set[str],
    users: set[str],
    at_once: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    raw = [line.encode() + torn for line in lines]
    expected = {place for place, line in enumerate(raw) if any(one.encode() in line for one in tweets | users)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engage_pipeline.ingest.deletions.rows._WINDOWS_AT_ONCE", at_once)
        assert found_in(rejected(tmp_path_factory.mktemp("rejects"), raw), sorted(tweets), sorted(users)) == expected


def test_a_long_rejected_line_is_searched_in_little_memory(tmp_path: Path) -> None:
    lines = [random.Random(line).randbytes(1 << 19).hex().upper().encode() for line in range(2)]
    path, deleted = rejected(tmp_path, lines), [lines[1][-32:].decode(), "0123456789ABCDEF" * 2]
    tracemalloc.start()
    try:
        assert found_in(path, deleted, []) == {1}
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("column", "tweets", "users"), [(TWEET, ["F" * 32], []), (VIEWER, [], ["F" * 32])])
def test_an_ingest_of_a_part_of_which_only_a_rejected_line_is_deleted(
    raw: Path, tmp_path: Path, column: int, tweets: list[str], users: list[str]
) -> None:
    lines = lines_of(raw / "train" / "part-00000")[:20]
    lines[3] = with_field(with_field(lines[3], 0, b"1o1"), column, b"F" * 32)
    lines[7] = with_field(lines[7], 0, b"1o2")
    (tmp_path / "part-00000").write_bytes(b"\n".join(lines) + b"\n")
    store = store_in(tmp_path, raw)
    deletions = delete(store, tweets, users)
    _ingest_labelled(store, "tweet_parts", "part-00000", tmp_path / "part-00000", deletions)
    version = store.open("tweet_parts", "part-00000")
    facts = version.manifest.facts
    assert (facts["rows"], facts["rejected"], facts["forgotten"], facts["forgotten_rows"]) == (18, 1, 1, 0)
    assert [reject.line for reject in read_rejects(version.path("rejects.parquet"))] == [7]


def test_facts_never_hold_whole_ids(raw: Path, tmp_path: Path) -> None:
    def damage(line: bytes) -> bytes:
        return with_field(with_field(line, 0, b"101\t102"), AUTHOR + 1, line.split(SEPARATOR)[TWEET])

    store = store_in(tmp_path / "store", broken_parts(raw, tmp_path / "raw", [damage]))
    ingest(store)
    manifest = store.open("tweet_parts", "part-00000").manifest
    ids = {one for path in raw.glob("*/part-*") for one in fields(path, TWEET, AUTHOR, VIEWER)}
    assert manifest.facts["examples"]
    assert "…" in manifest.facts["examples"][0]["reason"]
    assert not [name for name in traces(store.root, ids) if name.endswith("manifest.json")]


def test_a_missing_id_is_not_a_deleted_one(raw: Path, tmp_path: Path) -> None:
    def damage(line: bytes) -> bytes:
        return with_field(with_field(line, TWEET, b""), VIEWER, b"")

    store = store_in(tmp_path / "store", broken_parts(raw, tmp_path / "raw", [damage]))
    ingest(store)
    authors = set(fields(raw / "train" / "part-00000", AUTHOR)[:3])
    delete(store, ["other"], authors)
    forget(store)
    rows = pq.read_table(store.open("tweet_parts", "part-00000").path("tweets.parquet"))
    kept = [line for line in lines_of(tmp_path / "raw" / "train" / "part-00000") if not hits(line, set(), authors)]
    assert rows.num_rows == len(kept)
    assert rows["engaging_user_id"].null_count == sum(not line.split(SEPARATOR)[VIEWER] for line in kept) > 0


def test_a_damaged_part_is_named_and_the_others_are_done(raw: Path, store: ArtifactStore) -> None:
    path = store.open("tweet_parts", "part-00000").path("tweets.parquet")
    path.write_bytes(path.read_bytes()[:-1])
    (store.folder("validation_tweets") / "manifest.json").write_text("{")
    users = set(fields(raw / "train" / "part-00000", AUTHOR, VIEWER)[:5])
    delete(store, [], users)
    done = forget(store)
    assert set(done.problems) == {"tweet_parts/part-00000", "validation_tweets"}
    assert "damaged" in done.problems["tweet_parts/part-00000"]
    assert "not a manifest" in done.problems["validation_tweets"]
    for folder in (store.folder("tweet_parts", "part-00001"), store.folder("test_tweets")):
        assert traces(folder, users) == {}
    assert str(raw / "train" / "part-00001") in raw_files(store)
    assert waiting(store) == {"tweet_parts/part-00000"}


def test_a_part_that_another_run_is_making_is_named_and_waits(raw: Path, store: ArtifactStore) -> None:
    delete(store, [], fields(raw / "train" / "part-00000", VIEWER)[:5])
    with pytest.raises(RuntimeError), store.publish("tweet_parts", "part-00000"):
        done = forget(store)
        raise RuntimeError
    assert done.problems == {"tweet_parts/part-00000": "another run is making tweet_parts/part-00000"}
    assert waiting(store) == {"tweet_parts/part-00000"}
    assert forget(store).problems == {}
    assert waiting(store) == set()


KILLED = """
import os, signal, sys
from pathlib import Path
from engage_pipeline.ingest.deletions import forgetting
from engage_pipeline_tests.ingest.deletions import test_forgetting
moment, folder, raw = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
def killed(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
if moment == "rows are filtered":
    forgetting._write_part = killed
elif moment == "version is published":
    Path.replace = killed
else:
    forgetting.note_facts = killed
test_forgetting.forget(test_forgetting.store_in(folder, raw))
"""


@pytest.mark.parametrize("moment", ["rows are filtered", "version is published", "a part without hits is noted"])
def test_after_a_kill_it_goes_on_where_it_was(raw: Path, store: ArtifactStore, tmp_path: Path, moment: str) -> None:
    fresh = store_in(tmp_path / "fresh", raw)
    train = raw / "train"
    tweets = sorted(set(fields(train / "part-00001", TWEET)) - set(fields(train / "part-00000", TWEET)))[:3]
    for one in (store, fresh):
        delete(one, tweets)
    arguments = [sys.executable, "-c", KILLED, moment, str(tmp_path), str(raw)]
    killed = subprocess.run(arguments, check=False, env=dict(os.environ), capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    forget(store)
    ingest(fresh)
    assert state(store) == state(fresh)
    assert traces(store.root, set(tweets)) == {}
    assert not list(store.root.rglob(".tmp-*"))


def test_an_ingest_anew_enters_what_it_replaces(raw: Path, store: ArtifactStore) -> None:
    with store.publish("interaction_counts") as draft:
        draft.path("counts").write_bytes(b"")
    enter_replaced(store, "tweet_parts", "part-00000", read_deletions(store.settings.deletions))
    assert predating(store) == {}
    deletions = delete(store, ["no-such-id"])
    enter_replaced(store, "tweet_parts", "part-00000", deletions)
    enter_replaced(store, "tweet_parts", "part-00007", deletions)
    assert predating(store) == {}
    deletions = delete(store, fields(raw / "train" / "part-00000", TWEET)[:1])
    enter_replaced(store, "tweet_parts", "part-00000", deletions)
    assert set(predating(store)) == {"tweet_parts/part-00000", "interaction_counts"}
    ingest(store)
    assert set(predating(store)) == {"interaction_counts"}


def test_what_was_made_of_a_rewritten_or_unreadable_part_predates(raw: Path, store: ArtifactStore) -> None:
    with store.publish("interaction_counts") as draft:
        draft.path("counts").write_bytes(b"")
    part = store.open("tweet_parts", "part-00001").path("tweets.parquet")
    content = part.read_bytes()
    part.write_bytes(content[:-1])
    enter_replaced(store, "tweet_parts", "part-00001", delete(store, ["no-such-id"]))
    assert set(predating(store)) == {"tweet_parts/part-00001", "interaction_counts"}
    (store.root / LEDGER).unlink()
    part.write_bytes(content)
    delete(store, fields(raw / "train" / "part-00000", TWEET)[:1])
    forget(store)
    assert set(predating(store)) == {"interaction_counts"}


def test_a_list_that_can_not_be_read_stops_before_anything_is_changed(raw: Path, store: ArtifactStore) -> None:
    before = state(store, [])
    store.settings.deletions.mkdir(parents=True)
    (store.settings.deletions / "tweets").write_text("a\0b")
    with pytest.raises(UserError, match="tweets: line 1"):
        forget(store)
    assert state(store, []) == before
