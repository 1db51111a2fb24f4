"""Facts: what a model writes is what it was given, and what it reads says what is missing."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.errors import UserError
from engage_pipeline.store import rules
from engage_pipeline.store.facts import Facts, Figures
from engage_pipeline.store.manifests import Manifest
from engage_pipeline.store.rules import Outcome, rule
from engage_pipeline.store.store import Version
from engage_pipeline_tests.samples import bare_store, tiny_settings


class Inner(Figures):
    """Figures within figures."""

    gain: float
    interval: tuple[float, float] | None = None


class Sample(Facts):
    """Figures of an artifact."""

    rows: int
    inner: dict[str, Inner] = {}  # noqa: RUF012 - a pydantic model copies it
    loss: float = 0.5


GIVEN = {"z": [1, {"a": None}], "inner": {"x": {"why": "so", "gain": 0.25, "interval": [1.0, 2.0]}}, "rows": 3}


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    store = bare_store(tiny_settings(tmp_path))
    with store.publish("test_tweets") as draft:
        draft.path("rows").write_bytes(b"rows")
        draft.record(Sample.model_validate(GIVEN))
        draft.record(Facts(z=2, more=1))
    return store.open("test_tweets").manifest


def test_a_model_writes_what_it_was_given_in_that_order_and_no_default() -> None:
    assert json.dumps(Sample.model_validate(GIVEN).model_dump()) == json.dumps(GIVEN)
    inner = {"x": Inner(why="so", gain=0.25, interval=(1.0, 2.0))}
    assert json.dumps(Sample(z=[1, {"a": None}], inner=inner, rows=3).model_dump()) == json.dumps(GIVEN)
    assert Sample(rows=1, loss=0.5).model_dump(include={"loss"}) == {"loss": 0.5}


def test_what_is_recorded_later_stands_for_what_was_before(manifest: Manifest) -> None:
    assert json.dumps(manifest.facts) == json.dumps({**GIVEN, "z": 2, "more": 1})


def test_facts_are_read_with_their_types_and_defaults(manifest: Manifest) -> None:
    facts = Sample.read(manifest)
    assert (facts.rows, facts.loss, facts.seconds, facts.peak_mb) == (3, 0.5, 0.0, 0)
    assert facts.inner["x"].interval == (1.0, 2.0)
    with pytest.raises(ValidationError, match="frozen"):
        facts.rows = 4  # type: ignore[misc]


@pytest.mark.parametrize(("facts", "name"), [({}, "rows"), ({"rows": 1, "inner": {"x": {}}}, "inner.x.gain")])
def test_a_missing_figure_is_named(manifest: Manifest, facts: dict, name: str) -> None:
    with pytest.raises(KeyError) as error:
        Sample.read(replace(manifest, facts=facts))
    assert error.value.args == (name,)


def test_a_figure_of_another_type_is_named_to_the_user(manifest: Manifest) -> None:
    with pytest.raises(UserError, match="test_tweets: the fact rows of its manifest can't be read"):
        Sample.read(replace(manifest, facts={"rows": "many"}))


def test_a_rule_says_which_figure_an_earlier_version_of_the_program_did_not_write(
    manifest: Manifest, tmp_path: Path
) -> None:
    @rule("{rows} rows")
    def has_rows(store: rules.Reader, version: Version) -> Outcome:
        """It has rows."""
        return Outcome("", {"rows": Sample.read(version.manifest).rows})

    store = bare_store(tiny_settings(tmp_path))
    old = replace(manifest, facts={}, code_version="0")
    found = rules.outcome_of(store, Version(tmp_path, old), has_rows)
    assert found.problem == "an earlier version of the program made it, without the figure 'rows'"
    with pytest.raises(KeyError):
        now = replace(old, code_version=ARTIFACTS["test_tweets"].code_version)
        rules.outcome_of(store, Version(tmp_path, now), has_rows)
