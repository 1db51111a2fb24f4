"""Codes and keys of a design: 0 for the rows without a key, and for no other."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.model.effects.design import build_design
from engage_pipeline.model.effects.effects import EFFECTS
from engage_pipeline.model.effects.fields import EffectRows
from engage_pipeline.numerics.fingerprints import NO_FINGERPRINT

VIEWERS = np.array([3, NO_FINGERPRINT, -8, 3, 11, NO_FINGERPRINT, -2, 40, 41, -8])


@pytest.mark.parametrize("viewers", [VIEWERS, VIEWERS[VIEWERS != NO_FINGERPRINT]])
def test_a_code_is_the_place_of_the_key_and_0_is_for_rows_without_one(viewers: np.ndarray, tmp_path: Path) -> None:
    """Fingerprints are negative as often as not, so NO_FINGERPRINT is not the smallest of them."""
    rows = EffectRows(**{field.name: viewers for field in fields(EffectRows)})
    effect = next(one for one in EFFECTS if one.name == "viewer")
    wanted = effect.keys(rows)
    assert 0 < (wanted < NO_FINGERPRINT).sum() < (wanted != NO_FINGERPRINT).sum()
    design, (keys,) = build_design(rows, [effect], tmp_path)
    (codes,) = design.codes
    assert keys[0] == NO_FINGERPRINT
    assert keys[1:].tolist() == sorted(set(wanted.tolist()) - {NO_FINGERPRINT})
    assert keys[codes].tolist() == wanted.tolist()
    assert ((codes == 0) == (viewers == NO_FINGERPRINT)).all()
    assert design.sizes == [len(keys)]
    assert design.take(np.array([2, 0])).codes[0].tolist() == codes[[2, 0]].tolist()
