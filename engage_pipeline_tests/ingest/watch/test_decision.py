"""The decision about new and replaced parts: cases by hand, and any sequence of events against a plain model."""

import json
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engage_pipeline.files.atomic import SourceFile
from engage_pipeline.ingest.watch.cursor import Asked, Cursor, Seen, read_cursor
from engage_pipeline.ingest.watch.decision import decide, parts_to_read
from engage_pipeline.ingest.watch.report import report
from engage_pipeline.ingest.watch.situation import Observed, Situation, State, Stored, WatchDecision

FOLDER = "../raw/train"
STABLE = 60.0
START = 1_000_000.0


@dataclass
class World:
    """Raw files, store and Dagster, as simple as can be; `look` is one tick of the sensor."""

    now: float = START
    files: dict[str, tuple[str, float]] = field(default_factory=dict)  # part: content, time written
    stored: dict[str, Stored] = field(default_factory=dict)
    registered: list[str] = field(default_factory=list)
    queue: list[tuple[str, ...]] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    cursor: str | None = None
    parts_a_run: int = 4
    versions: int = 0
    read: list[str] = field(default_factory=list)
    run_keys: list[str] = field(default_factory=list)
    requested: list[tuple[str, str]] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)  # parts whose run failed or found no file

    def write(self, name: str, content: str) -> None:
        self.files[name] = (content, self.now)

    def touch(self, name: str) -> None:
        self.write(name, self.files[name][0])

    def observed(self, name: str) -> Observed:
        content, written = self.files[name]
        return Observed(name, len(content), int(written * 1e9))

    def look(self, seconds: float = 0.0) -> WatchDecision:
        self.now += seconds
        situation = Situation(
            folder=FOLDER,
            now=self.now,
            stable_seconds=STABLE,
            parts_a_run=self.parts_a_run,
            present=frozenset(self.files),
            stored=dict(self.stored),
            registered=list(self.registered),
            busy=frozenset(name for run in self.queue for name in run),
            lost=frozenset(self.lost),
        )
        before = read_cursor(self.cursor)
        found = {name: self.observed(name) for name in self.files}
        for name in parts_to_read(found, before, situation):
            self.read.append(name)
            found[name] = replace(found[name], sha256=sha(self.files[name][0]))
        decision = decide(found, before, situation)
        assert read_cursor(decision.cursor.to_json()) == decision.cursor
        self.cursor = decision.cursor.to_json()
        assert list(decision.register) == sorted(decision.register)
        self.registered += decision.register
        for run in decision.runs:
            assert 1 <= len(run.parts) <= self.parts_a_run
            first = self.registered.index(run.parts[0])
            assert tuple(self.registered[first : first + len(run.parts)]) == run.parts
            self.queue.append(run.parts)
            self.run_keys.append(run.run_key)
            self.requested += [(name, self.files[name][0]) for name in run.parts]
        return decision

    def run_all(self, *, succeed: bool = True) -> None:
        for run in self.queue:
            for name in run:
                if succeed and name in self.files:
                    self.store(name)
                else:
                    self.failed.add(name)
        self.queue.clear()

    def store(self, name: str, folder: str = FOLDER) -> None:
        """As `engage run` or a run of Dagster would ingest the part now."""
        self.versions += 1
        file = self.observed(name)
        source = SourceFile(folder, file.file, file.bytes, file.mtime_ns, sha(self.files[name][0]))
        self.stored[name] = Stored(source, f"version-{self.versions}")

    def settle(self) -> WatchDecision:
        """Looks until nothing is left to do, all runs succeeding; returns the last decision."""
        for _ in range(6):
            decision = self.look(STABLE)
            if not decision.runs and not self.queue and State.UNSTABLE not in decision.states.values():
                return decision
            self.run_all()
        raise AssertionError("it never settles")


def sha(content: str) -> str:
    return f"{content}-".ljust(64, "0")


def taken(decision: WatchDecision) -> list[str]:
    return [name for run in decision.runs for name in run.parts]


def world_with(*names: str) -> World:
    world = World()
    for name in names:
        world.write(name, f"content of {name}")
    return world


def test_a_new_part_waits_until_it_is_stable_and_is_asked_for_once() -> None:
    world = world_with("part-1")
    assert world.look(1).states == {"part-1": State.UNSTABLE}
    assert world.read == []
    assert not world.look(STABLE - 1).runs
    decision = world.look(1)
    assert decision.register == ("part-1",)
    assert taken(decision) == ["part-1"]
    assert world.look(1).states == {"part-1": State.BUSY}
    world.run_all()
    assert world.look(1).states == {"part-1": State.INGESTED}
    assert world.look(STABLE).cursor.parts == {}
    assert world.read == ["part-1"]


def test_a_growing_file_is_left_alone_and_never_read() -> None:
    world = World()
    for size in range(20):
        world.write("part-1", "x" * size)
        assert not world.look(STABLE - 1).runs
    assert world.read == []


def test_a_batch_is_registered_sorted_and_taken_in_runs_of_neighbours() -> None:
    names = [f"part-{number}" for number in range(7)]
    world = world_with(*reversed(names))
    world.parts_a_run = 3
    world.look()
    decision = world.look(STABLE)
    assert decision.register == tuple(names)
    assert [run.parts for run in decision.runs] == [tuple(names[:3]), tuple(names[3:6]), tuple(names[6:])]
    world.run_all()
    world.look(1)
    for name in ("part-0", "part-2", "part-3", "part-6"):
        world.write(name, "replaced")
    world.look(1)
    assert [run.parts for run in world.look(STABLE).runs] == [("part-0",), ("part-2", "part-3"), ("part-6",)]


def test_new_parts_are_neighbours_in_the_order_of_registration_not_of_name() -> None:
    world = world_with("part-2", "part-9")
    world.settle()
    world.write("part-1", "new")
    world.write("part-9", "replaced")
    world.look()
    assert [run.parts for run in world.look(STABLE).runs] == [("part-9", "part-1")]


def test_touched_or_replaced_with_the_same_bytes_is_read_once_and_not_ingested_again() -> None:
    world = world_with("part-1")
    world.settle()
    world.touch("part-1")
    world.look(1)
    for _ in range(3):
        decision = world.look(STABLE)
        assert not decision.runs
        assert decision.states == {"part-1": State.INGESTED}
    assert world.read == ["part-1", "part-1"]


def test_a_file_put_back_with_size_and_time_of_the_stored_one_counts_as_ingested_once_it_is_seen_unchanged() -> None:
    world = World()
    world.write("part-1", "A")
    world.settle()
    stored = world.files["part-1"]
    world.write("part-1", "another")
    world.look(1)
    world.files["part-1"] = stored
    assert world.look(1).states == {"part-1": State.UNSTABLE}
    assert world.look(1).states == {"part-1": State.INGESTED}
    assert world.read == ["part-1"]


def test_what_is_stored_already_is_registered_without_reading_it() -> None:
    world = world_with("part-1", "part-2")
    for name in world.files:
        world.store(name)
    decision = world.look(1)
    assert decision.register == ("part-1", "part-2")
    assert not decision.runs
    assert world.read == []


def test_a_part_stored_from_another_folder_is_ingested_from_this_one() -> None:
    world = world_with("part-1")
    world.store("part-1", folder="../elsewhere")
    world.look()
    assert taken(world.look(STABLE)) == ["part-1"]


def test_replaced_by_a_b_and_a_again_is_three_requests_with_keys_of_their_own() -> None:
    world = World()
    for content in ("A", "B", "A", "B"):
        world.write("part-1", content)
        world.settle()
    assert world.requested == [("part-1", content) for content in "ABAB"]
    assert len(set(world.run_keys)) == 4


def test_the_same_when_none_of_the_runs_succeeds() -> None:
    world = World()
    for content in ("A", "B", "A", "B"):
        world.write("part-1", content)
        world.look(1)
        world.look(STABLE)
        world.run_all(succeed=False)
        assert world.look(1).states == {"part-1": State.UNMADE}
    assert world.requested == [("part-1", content) for content in "ABAB"]
    assert len(set(world.run_keys)) == 4


def test_a_content_that_failed_and_was_taken_back_may_come_again() -> None:
    world = world_with("part-1")
    world.settle()
    good = world.files["part-1"]
    for _ in range(2):
        world.write("part-1", "broken")
        world.look()
        assert taken(world.look(STABLE)) == ["part-1"]
        world.run_all(succeed=False)
        assert not world.look(STABLE).runs
        world.files["part-1"] = good
        world.look()
        assert world.look(STABLE).states == {"part-1": State.INGESTED}
    assert len(set(world.run_keys)) == 3


def test_a_part_replaced_while_its_run_waits_is_ingested_once() -> None:
    world = world_with("part-1")
    world.look()
    world.look(STABLE)
    world.write("part-1", "replaced")
    world.look(1)
    assert world.look(STABLE).states == {"part-1": State.BUSY}
    world.run_all()
    assert world.look(STABLE).states == {"part-1": State.INGESTED}
    assert len(world.run_keys) == 1


def test_a_part_that_is_replaced_while_its_run_reads_it_is_ingested_again() -> None:
    world = world_with("part-1")
    world.look()
    world.look(STABLE)
    world.store("part-1")
    world.write("part-1", "replaced")
    world.look(1)
    assert world.look(STABLE).states == {"part-1": State.BUSY}
    world.queue.clear()
    assert taken(world.look(1)) == ["part-1"]


def test_a_lost_cursor_asks_with_the_same_key_so_that_nothing_runs_twice() -> None:
    world = world_with("part-1", "part-2")
    world.look()
    world.look(STABLE)
    world.run_all(succeed=False)
    world.cursor = None
    world.look()
    world.look(STABLE)
    assert len(world.run_keys) == 2
    assert len(set(world.run_keys)) == 1


def test_a_request_that_no_run_came_of_is_made_again() -> None:
    world = world_with("part-1")
    world.look()
    world.look(STABLE)
    world.queue.clear()
    assert world.look(STABLE).states == {"part-1": State.UNMADE}
    world.lost = set(world.run_keys)
    assert taken(world.look(1)) == ["part-1"]


def test_a_vanished_part_is_told_once_as_new_and_then_stays_in_the_report() -> None:
    world = world_with("part-1", "part-2")
    world.settle()
    file = world.files.pop("part-1")
    first, second = world.look(1), world.look(1)
    assert first.newly_vanished == first.vanished == second.vanished == ("part-1",)
    assert second.newly_vanished == ()
    assert world.registered == ["part-1", "part-2"]
    world.files["part-1"] = file
    back = world.look(1)
    assert back.vanished == ()
    assert back.states["part-1"] is State.INGESTED
    world.files.pop("part-1")
    assert world.look(1).newly_vanished == ("part-1",)
    world.write("part-1", file[0])
    world.look(1)
    assert not world.look(STABLE).runs


def test_a_file_that_went_before_it_was_ever_stable_is_forgotten() -> None:
    world = world_with("part-1")
    world.look(1)
    world.files.clear()
    decision = world.look(1)
    assert decision.vanished == ()
    assert decision.cursor.parts == {}


def test_another_folder_starts_with_an_empty_memory() -> None:
    cursor = Cursor("../old", {"part-9": Seen("part-9", 1, 1, 1.0, "a")})
    decision = decide({}, cursor, Situation(FOLDER, START, STABLE, 4))
    assert decision.vanished == ()
    assert decision.cursor == Cursor(FOLDER)


def test_parts_beyond_the_limit_are_kept_in_mind_and_have_not_vanished() -> None:
    cursor = Cursor(FOLDER, {"part-9": Seen("part-9", 1, 1, 1.0, "a")})
    decision = decide({}, cursor, Situation(FOLDER, START, STABLE, 4, present=frozenset(["part-9"])))
    assert decision.vanished == ()
    assert decision.cursor == cursor


@pytest.mark.parametrize("jump", [-1e6, 1e6])
def test_a_clock_that_jumps_or_a_time_that_lies_ahead_blocks_no_part_for_ever(jump: float) -> None:
    world = World()
    world.files["part-1"] = ("content", START + 1e7)
    world.look(1)
    world.look(jump)
    world.look(STABLE)
    assert world.requested == [("part-1", "content")]


def test_a_file_written_just_now_waits_although_the_clock_was_wrong_when_it_was_first_seen() -> None:
    world = World()
    world.files["part-1"] = ("content", START)
    world.now = 0.0
    world.look()
    assert world.look(START + STABLE - 1).states == {"part-1": State.UNSTABLE}


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "garbage",
        "[" * 100_000,
        "7",
        "[]",
        '{"version":99,"folder":"a","parts":{"part-1":{"file":"part-1","bytes":1,"mtime_ns":1,"since":1}}}',
        '{"version":1}',
        '{"version":1,"folder":3,"parts":{}}',
        '{"version":1,"folder":"a","parts":[1]}',
    ],
)
def test_a_cursor_that_can_not_be_read_is_forgotten(text: str | None) -> None:
    assert read_cursor(text).parts == {}


def test_a_damaged_entry_does_not_lose_the_others() -> None:
    good = Seen("part-1", 1, 2, 3.0, "abc", Asked("abc", "v1", 1, "key", 4.0), gone=True)
    value = json.loads(Cursor(FOLDER, {"part-1": good}).to_json())
    value["parts"] |= {
        "part-2": {"file": "part-2"},
        "part-3": None,
        "part-4": value["parts"]["part-1"] | {"bytes": "x"},
    }
    value["parts"]["part-5"] = value["parts"]["part-1"] | {"since": float("nan")}
    assert read_cursor(json.dumps(value)) == Cursor(FOLDER, {"part-1": good})


def test_the_report_counts_and_names() -> None:
    world = world_with(*(f"part-{number}" for number in range(4)))
    world.settle()
    world.write("part-7", "new")
    world.files.pop("part-2")
    text = report(world.look(1), {"x": "part-x: permission denied"}, "raw")
    assert (
        text == "3 parts ingested, 1 new or still being written: part-7, 1 vanished: part-2; part-x: permission denied"
    )
    assert report(World().look(), {}, "raw") == "no parts in raw"
    many = world_with(*(f"part-{number}" for number in range(8))).look()
    assert report(many, {}, "raw") == "8 new or still being written: part-0, part-1, part-2, part-3, part-4 and 3 more"


def test_a_file_that_was_gone_for_its_run_and_came_back_with_the_same_bytes_is_named_as_not_ingested() -> None:
    """Its content was asked for, as that of a part whose run failed: a person, or other bytes, start it again."""
    world = world_with("part-1")
    world.look()
    assert taken(world.look(STABLE)) == ["part-1"]
    world.files.pop("part-1")
    world.run_all()
    world.write("part-1", "content of part-1")
    decision = world.settle()
    assert decision.states == {"part-1": State.UNMADE}
    assert "1 requested but not ingested" in report(decision, {}, "raw")
    world.write("part-1", "other content")
    assert world.settle().states == {"part-1": State.INGESTED}


EVENTS = st.one_of(
    st.tuples(st.just("write"), st.sampled_from("abcd"), st.sampled_from(["A", "B", "CC"])),
    st.tuples(st.just("touch"), st.sampled_from("abcd"), st.none()),
    st.tuples(st.just("remove"), st.sampled_from("abcd"), st.none()),
    st.tuples(st.just("look"), st.none(), st.sampled_from([0.0, 1.0, STABLE / 2, STABLE, 10 * STABLE])),
    st.tuples(st.just("run"), st.none(), st.booleans()),
    st.tuples(st.just("engage"), st.sampled_from("abcd"), st.none()),
)


@settings(max_examples=300, deadline=None)
@example(
    events=[
        ("write", "a", "A"),
        ("look", None, 0.0),
        ("look", None, STABLE),
        ("remove", "a", None),
        ("run", None, True),
        ("write", "a", "A"),
    ],
    parts_a_run=1,
)
@given(st.lists(EVENTS, max_size=60), st.integers(1, 3))
def test_any_sequence_of_events(events: list[tuple[str, str, object]], parts_a_run: int) -> None:
    """Against the history itself: what is requested was unchanged for long enough and is not what is stored; between
    two requests for a part its file or its stored version changed; nothing is unregistered; at the end all is stored.
    """
    world = World(parts_a_run=parts_a_run)
    history = History()
    for event, letter, value in events:
        name = f"part-{letter}"
        world.now += 0.5
        if event == "write":
            world.write(name, str(value))
            history.changed(name, world.now)
        elif event == "touch" and name in world.files:
            world.touch(name)
            history.changed(name, world.now)
        elif event == "remove":
            world.files.pop(name, None)
        elif event == "run":
            world.run_all(succeed=bool(value))
        elif event == "engage" and name in world.files:
            world.store(name)
        elif event == "look":
            registered = list(world.registered)
            history.judge(world, world.look(float(str(value))))
            assert world.registered[: len(registered)] == registered
    assert len(set(world.run_keys)) == len(world.run_keys)
    states = world.settle().states
    assert set(states) == set(world.files)
    unmade = {name for name, state in states.items() if state is State.UNMADE}
    assert unmade <= world.failed
    for name in world.files.keys() - unmade:
        assert world.stored[name].source.sha256 == sha(world.files[name][0])


@dataclass
class History:
    """When each file changed and was first seen so, and what was last requested over which stored version."""

    written: dict[str, float] = field(default_factory=dict)
    first_seen: dict[str, float] = field(default_factory=dict)
    last_request: dict[str, tuple[str, str]] = field(default_factory=dict)

    def changed(self, name: str, now: float) -> None:
        self.written[name] = now
        self.first_seen.pop(name, None)

    def judge(self, world: World, decision: WatchDecision) -> None:
        requested = taken(decision)
        assert len(set(requested)) == len(requested)
        for name, state in decision.states.items():
            content, stored = world.files[name][0], world.stored.get(name)
            request = (content, stored.directory if stored else "")
            seen = world.now - self.first_seen.setdefault(name, world.now)
            if name in requested:
                assert world.now - self.written[name] >= STABLE
                assert stored is None or stored.source.sha256 != sha(content)
                assert self.last_request.get(name) != request
                self.last_request[name] = request
            elif state is State.INGESTED:
                assert stored is not None
                assert stored.source.sha256 == sha(content)
                self.last_request.pop(name, None)
            elif state is State.BUSY:
                assert any(name in run for run in world.queue)
            elif state is State.UNMADE:
                assert self.last_request[name] == request
            else:
                assert state is State.UNSTABLE
                assert seen < STABLE
