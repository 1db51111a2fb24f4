"""Which keys are nested in which, by hand."""

from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.model.effects import numbering
from engage_pipeline.model.effects.design import LocalTerm
from engage_pipeline.model.effects.effects import EFFECTS, Effect
from engage_pipeline.model.effects.nesting import find_nested
from engage_pipeline.numerics.fingerprints import NO_FINGERPRINT
from engage_pipeline_tests.model.effects.fits import AUTHOR, FOLLOWS, HOUR, PAIR, VIEWER, design_of, records_of

TWEET = Effect("tweet", "tweet_effects", ("tweet",), 1.0, ("author", "hour", "follows"))


@pytest.mark.parametrize("block_rows", [1, 1 << 20])
def test_a_key_has_the_parent_of_all_its_rows_or_none(
    block_rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tweet 2 is at two hours, tweet 3 has no author in one row."""
    monkeypatch.setattr(numbering, "BLOCK_ROWS", block_rows)
    tweet, author = np.array([1, 1, 2, 2, 3, 3]), np.array([5, 5, 6, 6, 6, NO_FINGERPRINT])
    hour, viewer = np.array([1, 1, 1, 2, 2, 2]), 1 + np.arange(6)
    records = records_of(np.zeros((6, 4), bool), tweet=tweet, author=author, hour=hour, follows=1, viewer=viewer)
    effects = [HOUR, FOLLOWS, AUTHOR, TWEET, VIEWER, PAIR]
    design = design_of(records, effects, tmp_path)
    found = {(one.fine, one.coarse): one.parents.read() for one in find_nested(design, effects, tmp_path / "nested")}
    assert set(found) == {(3, 2), (3, 0), (3, 1), (5, 4), (5, 2)}
    (tweets,) = (term for term in design.terms if not isinstance(term, LocalTerm) and term.effects == (3,))
    code = {}
    for block in design.blocks():
        for place, own in zip(block.read(design.facts)["position"], block.codes(tweets), strict=True):
            code[tweet[place]] = own
    authors, hours = found[3, 2], found[3, 0]
    assert authors[0] == hours[0] == 0
    assert authors[code[1]] > 0
    assert authors[code[2]] not in {0, authors[code[1]]}
    assert authors[code[3]] == 0
    assert hours[code[1]] > 0
    assert hours[code[2]] == 0
    assert hours[code[3]] not in {0, hours[code[1]]}
    pairs = found[5, 4]
    (viewers,) = (term for term in design.terms if isinstance(term, LocalTerm) and term.effect == 4)
    (own,) = (term for term in design.terms if isinstance(term, LocalTerm) and term.effect == 5)
    blocks = np.repeat(viewers.first[:-1], np.diff(own.first))
    places = (blocks + pairs)[pairs > 0]
    assert len(set(places.tolist())) == np.count_nonzero(pairs) == 5, "each viewer has one pair, one has none"


def test_parents_of_families_that_are_off_are_left_out(tmp_path: Path) -> None:
    records = records_of(np.zeros((3, 4), bool), viewer=1 + np.arange(3), author=1 + np.arange(3))
    effects = [VIEWER, PAIR]
    assert [
        (one.fine, one.coarse) for one in find_nested(design_of(records, effects, tmp_path), effects, tmp_path / "n")
    ] == [(1, 0)]


def test_parents_are_effects_that_come_before() -> None:
    names = [effect.name for effect in EFFECTS]
    for place, effect in enumerate(EFFECTS):
        assert set(effect.parents) <= set(names[:place]), effect.name
