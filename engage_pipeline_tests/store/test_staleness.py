"""The rule of staleness on facts alone: each reason by itself, and which comes first."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from engage_pipeline.files.atomic import SourceFile
from engage_pipeline.store.manifests import Manifest
from engage_pipeline.store.staleness import why_stale

RAW = SourceFile("raw", "part-00000", 10, 1, "a" * 64)
COUNTERS = {"interaction_counts": "1"}
MADE = Manifest(
    artifact="submission",
    key=None,
    version="v",
    directory="v-1",
    previous=None,
    created="2026-01-01T00:00:00+00:00",
    code_version="2",
    rows=1,
    settings={"seed": 1, "trees": {"rounds": 5, "depth": 3}},
    inputs={"tweet_parts/part-00000": "x", "tweet_parts/part-00001": "y"},
    sources=[RAW],
    files={},
    facts={"counters": COUNTERS},
)


@dataclass(frozen=True)
class Now:
    """What would be made now; by default what was made."""

    code_version: str = MADE.code_version
    lost: str | None = None
    problems: str = ""
    settings: dict[str, Any] = field(default_factory=lambda: dict(MADE.settings))
    defaults: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=lambda: dict(MADE.inputs))
    sources: tuple[SourceFile, ...] = (RAW,)
    counters: dict[str, str] = field(default_factory=lambda: dict(COUNTERS))


def test_what_would_come_out_the_same_is_current() -> None:
    assert why_stale(MADE, Now()) is None


REASONS = {
    "code": (Now(code_version="3"), "code version 2 → 3"),
    "file": (Now(lost="results.csv is missing"), "results.csv is missing"),
    "rules": (Now(problems="4 rows"), "failed a check (4 rows)"),
    "setting": (Now(settings={**MADE.settings, "seed": 2}), "seed: 1 → 2"),
    "section": (Now(settings={"seed": 1, "trees": {"rounds": 5, "depth": 4}}), "trees.depth: 3 → 4"),
    "new setting": (Now(settings={**MADE.settings, "late": True}), "late: None → True"),
    "input": (Now(inputs={**MADE.inputs, "tweet_parts/part-00001": "z"}), "tweet_parts/part-00001 changed"),
    "new input": (Now(inputs={**MADE.inputs, "tweet_parts/part-00002": "z"}), "tweet_parts/part-00002 is new"),
    "input gone": (Now(inputs={"tweet_parts/part-00000": "x"}), "tweet_parts/part-00001 is left out"),
    "inputs gone": (Now(inputs={}), "tweet_parts/part-00000 is left out and 1 more"),
    "input gone, others changed and new": (
        Now(inputs={"tweet_parts/part-00001": "z", "tweet_parts/part-00002": "z", "tweet_parts/part-00003": "z"}),
        "tweet_parts/part-00000 is left out; tweet_parts/part-00002 is new and 1 more; tweet_parts/part-00001 changed",
    ),
    "content": (Now(sources=(replace(RAW, sha256="b" * 64),)), "part-00000 was replaced"),
    "other files": (Now(sources=()), "other raw files"),
    "other folder": (Now(sources=(replace(RAW, folder="raw2"),)), "other raw files"),
    "counters": (Now(counters={"interaction_counts": "2"}), "the model reads other counters now"),
}


@pytest.mark.parametrize("name", REASONS)
def test_each_reason_is_told(name: str) -> None:
    now, reason = REASONS[name]
    assert why_stale(MADE, now) == reason


def test_a_change_is_told_once() -> None:
    made = replace(MADE, settings={**MADE.settings, "trees.depth": 3})
    now = Now(settings={"seed": 1, "trees": {"rounds": 5, "depth": 4}, "trees.depth": 4})
    assert why_stale(made, now) == "trees.depth: 3 → 4"


def test_a_file_that_was_only_touched_is_the_same_and_so_is_a_setting_that_is_gone() -> None:
    assert why_stale(MADE, Now(sources=(replace(RAW, mtime_ns=9),))) is None
    assert why_stale(MADE, Now(settings={"seed": 1})) is None


@pytest.mark.parametrize(("value", "reason"), [(0.5, None), (0.6, "trees.rate: 0.5 → 0.6")])
def test_a_field_that_came_later_had_its_default(value: float, reason: str | None) -> None:
    now = Now(
        settings={"seed": 1, "trees": {"rounds": 5, "depth": 3, "rate": value}},
        defaults={"seed": 9, "trees": {"rounds": 9, "depth": 9, "rate": 0.5}},
    )
    assert why_stale(MADE, now) == reason


def test_a_field_that_is_gone_and_a_setting_that_was_not_noted_count() -> None:
    defaults = {"seed": 1, "trees": {"rounds": 5}, "late": True}
    assert why_stale(MADE, Now(settings={"seed": 1, "trees": {"rounds": 5}}, defaults=defaults)) == ("trees changed")
    assert why_stale(MADE, Now(settings={"seed": 1, "late": True}, defaults=defaults)) == "late: None → True"


def test_counters_count_only_where_both_are_known() -> None:
    assert why_stale(replace(MADE, facts={}), Now()) is None
    assert why_stale(MADE, Now(counters={})) is None


def test_the_reasons_come_in_this_order() -> None:
    now = Now("3", "results.csv is missing", "4 rows", {"seed": 2}, {}, {}, (), {"interaction_counts": "2"})
    told = []
    for name, value in vars(Now()).items():
        if name == "defaults":
            continue
        told.append(why_stale(MADE, now))
        now = replace(now, **{name: value})
    assert told == [
        "code version 2 → 3",
        "results.csv is missing",
        "failed a check (4 rows)",
        "seed: 1 → 2",
        "tweet_parts/part-00000 is left out and 1 more",
        "other raw files",
        "the model reads other counters now",
    ]
