"""Codes and keys of a design: 0 for the rows without a key, and for no other; viewers whole in blocks."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.files.flat_arrays import FlatArray
from engage_pipeline.model.effects import numbering
from engage_pipeline.model.effects.design import Block, Design, LocalTerm
from engage_pipeline.model.effects.effects import EFFECTS, Effect
from engage_pipeline.model.effects.fields import EffectRows
from engage_pipeline.model.effects.nesting import find_nested
from engage_pipeline.model.effects.numbering import build_design
from engage_pipeline.model.effects.rows import ROW
from engage_pipeline.model.effects.shards import Shards, shards_of
from engage_pipeline.model.validation_roles import HOLDOUT_ROW, TRAINING_ROW
from engage_pipeline.numerics.fingerprints import NO_FINGERPRINT

VIEWERS = np.array([3, NO_FINGERPRINT, -8, 3, 11, NO_FINGERPRINT, -2, 40, 41, -8])


def rows_of(seed: int, n: int) -> np.ndarray:
    """Records with a few values of each field, some unknown."""
    rng = np.random.default_rng(seed)
    records = np.zeros(n, ROW)
    for field in fields(EffectRows):
        values = rng.integers(-(2**63), 2**63 - 1, 1 + n // 20 if field.name == "viewer" else 7)
        records[field.name] = np.append(values, NO_FINGERPRINT)[rng.integers(0, len(values) + 1, n)]
    records["facts"]["position"] = np.arange(n)
    return records


def build(
    records: np.ndarray, folder: Path, effects: tuple[Effect, ...] = EFFECTS, threads: int = 1
) -> tuple[Design, list[FlatArray]]:
    shards = Shards.empty(folder / "rows", 4, ROW)
    shards.add(records, shards_of(records["viewer"].view(np.uint64), 4))
    return build_design(shards, effects, folder / "design", threads)


def keys_of_rows(design: Design, keys: list[FlatArray], n: int) -> np.ndarray:
    """The key of each effect of each row, by position, uint64 [effects, n]; as many as occur in the design."""
    found = np.zeros((len(keys), n), np.uint64)
    for block in design.blocks():
        positions = block.read(design.facts)["position"]
        for term in design.terms:
            codes = block.codes(term)
            if isinstance(term, LocalTerm):
                first, last = term.keys(block)
                assert (codes < last - first).all()
                found[term.effect, positions] = keys[term.effect].read(first, last)[codes]
                continue
            for place, effect in enumerate(term.effects):
                own = codes if term.cells is None else term.cells[place][codes]
                found[effect, positions] = keys[effect].read()[own]
                assert ((own == 0) == (found[effect, positions] == NO_FINGERPRINT)).all()
    return found


@pytest.mark.parametrize("viewers", [VIEWERS, VIEWERS[VIEWERS != NO_FINGERPRINT]])
@pytest.mark.parametrize("name", ["viewer", "author"])
def test_a_code_is_the_place_of_the_key_and_0_is_for_rows_without_one(
    name: str, viewers: np.ndarray, tmp_path: Path
) -> None:
    """Fingerprints are negative as often as not, so NO_FINGERPRINT is not the smallest of them as signed numbers."""
    records = np.zeros(len(viewers), ROW)
    for field in fields(EffectRows):
        records[field.name] = viewers
    records["facts"]["position"] = np.arange(len(viewers))
    effect = next(one for one in EFFECTS if one.name == name)
    shards = Shards.empty(tmp_path / "rows", 1, ROW)
    shards.add(records, np.zeros(len(records), np.int64))
    design, (keys,) = build_design(shards, [effect], tmp_path / "design")
    wanted = effect.keys(EffectRows(**{field.name: viewers for field in fields(EffectRows)})).view(np.uint64)
    (term,) = design.terms
    positions, codes = design.facts.read()["position"], term.codes.read()
    assert keys.read()[0] == NO_FINGERPRINT
    in_rows = dict.fromkeys(wanted[positions].tolist())
    assert keys.read()[1:].tolist() == [key for key in in_rows if key != NO_FINGERPRINT], "as they occur"
    assert keys.read()[codes].tolist() == wanted[positions].tolist()
    assert ((codes == 0) == (viewers[positions] == NO_FINGERPRINT)).all()
    assert design.sizes() == [len(keys)]


@pytest.mark.parametrize("block_rows", [1, 50, 1 << 20])
def test_every_row_has_the_keys_of_its_fields_in_any_blocks(
    block_rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbering, "BLOCK_ROWS", block_rows)
    records = rows_of(1, 700)
    design, keys = build(records, tmp_path)
    rows = EffectRows(**{field.name: records[field.name] for field in fields(EffectRows)})
    found = keys_of_rows(design, keys, 700)
    for place, effect in enumerate(EFFECTS):
        assert found[place].tolist() == effect.keys(rows).view(np.uint64).tolist(), effect.name
    assert len(design) == 700


@pytest.mark.parametrize("many", [65_535, 65_536])
def test_codes_take_two_bytes_unless_there_are_too_many(many: int, tmp_path: Path) -> None:
    """One viewer has seen all tweets, and another five: a code more is for rows without a key."""
    records = np.zeros(2 * many, ROW)
    records["viewer"], records["author"] = np.where(np.arange(len(records)) < 5, 2, 1), 7
    records["tweet"] = 1 + np.arange(len(records)) % many
    records["facts"]["position"] = np.arange(len(records))
    tweet, author, pair = (next(one for one in EFFECTS if one.name == name) for name in ("tweet", "author", "pair"))
    of_tweet = replace(pair, name="of_tweet", fields=("viewer", "tweet"))
    design, keys = build(records, tmp_path, (tweet, author, pair, of_tweet))
    size = 2 if many < 65_536 else 4
    assert [term.codes.path.stat().st_size / len(records) for term in design.terms] == [size, 2, 2, size]
    assert len(list(tmp_path.rglob("*codes"))) == 4, "narrow ones that are written anew are gone"
    rows = EffectRows(**{field.name: records[field.name] for field in fields(EffectRows)})
    for place, effect in enumerate((tweet, author, pair, of_tweet)):
        assert keys_of_rows(design, keys, len(records))[place].tolist() == effect.keys(rows).view(np.uint64).tolist()


@pytest.mark.parametrize("block_rows", [1, 50, 1 << 20])
def test_the_rows_of_a_viewer_are_in_one_block(
    block_rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbering, "BLOCK_ROWS", block_rows)
    records = rows_of(2, 700)
    design, _ = build(records, tmp_path)
    seen: set[int] = set()
    sizes = []
    for block in design.blocks():
        viewers = set(records["viewer"][block.read(design.facts)["position"]].tolist()) - {NO_FINGERPRINT}
        assert not seen & viewers
        seen |= viewers
        sizes.append(block.stop - block.start)
    most = np.unique(records["viewer"][records["viewer"] != NO_FINGERPRINT], return_counts=True)[1].max()
    assert max(sizes) <= block_rows + most
    assert len(sizes) >= min(20, 700 // (block_rows + most))


@pytest.mark.parametrize("block_rows", [50, 1 << 20])
def test_rows_that_few_fits_learn_from_come_last_in_their_block(
    block_rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training rows, those of the folds, holdout rows; those of a viewer side by side, in the order of the files."""
    monkeypatch.setattr(numbering, "BLOCK_ROWS", block_rows)
    records, folds = rows_of(10, 700), [TRAINING_ROW, 0, 1, 2, HOLDOUT_ROW]
    records["facts"]["fold"] = np.random.default_rng(11).choice(folds, 700)
    design, _ = build(records, tmp_path)
    for block in design.blocks():
        facts = block.read(design.facts)
        viewers = records["viewer"][facts["position"]].tolist()
        rows = [(folds.index(own), *row) for own, *row in zip(facts["fold"], viewers, facts["position"], strict=True)]
        assert rows == sorted(rows)
    assert len(list(design.blocks())) > (1 if block_rows == 50 else 0)


def test_rows_without_a_viewer_do_not_stay_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbering, "BLOCK_ROWS", 10)
    records = np.zeros(100, ROW)
    design, _ = build(records, tmp_path)
    assert np.diff(design.starts).tolist() == [10] * 10


def test_cells_hold_the_effects_with_few_values_and_no_others(tmp_path: Path) -> None:
    design, _ = build(rows_of(5, 300), tmp_path)
    names = [[EFFECTS[place].name for place in getattr(term, "effects", ())] for term in design.terms]
    assert [found for found in names if len(found) > 1] == [
        ["viewer_following", "viewer_followers", "viewer_age"],
        ["author_following", "author_followers", "author_age"],
        ["type_media", "language", "language_hour", "follows", "tags_links"],
        ["length", "time_left", "day"],
    ]
    others = tuple(effect for effect in EFFECTS if effect.name in ("named", "first_word", "topic"))
    apart, _ = build(rows_of(5, 300), tmp_path / "apart", others)
    assert [getattr(term, "cells", None) for term in apart.terms] == [None] * 3


def test_effects_whose_cells_a_number_cannot_hold_stay_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbering, "_MOST_CELLS", 8)
    records = rows_of(6, 300)
    design, keys = build(records, tmp_path)
    assert all(isinstance(term, LocalTerm) or term.cells is None for term in design.terms)
    assert len(design.terms) == len(EFFECTS) == len(keys)


def test_a_block_of_no_rows_is_passed_over(tmp_path: Path) -> None:
    design, _ = build(rows_of(7, 40), tmp_path, EFFECTS[:1])
    empty = Design(np.array([0, 0, 40]), design.facts, ())
    assert list(empty.blocks()) == [Block(1, 0, 40)]
    assert list(empty.blocks(np.array([0, 25]))) == [Block(1, 0, 25)]


@pytest.mark.parametrize("block_rows", [50, 1 << 20])
def test_an_effect_with_a_slope_knows_it_for_every_row(
    block_rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbering, "BLOCK_ROWS", block_rows)
    records = rows_of(8, 300)
    records["age"] = np.random.default_rng(9).integers(-336, 5000, 300)
    trend = next(effect for effect in EFFECTS if effect.slope)
    design, _ = build(records, tmp_path, (EFFECTS[0], trend))
    shared, local = design.terms
    for block in design.blocks():
        positions = block.read(design.facts)["position"]
        expected = (records["age"][positions] / 168).astype(np.float32)
        assert local.slopes(block).tolist() == expected.tolist()
        assert shared.slopes(block).tolist() == []


def test_any_number_of_threads_makes_the_same_files(tmp_path: Path) -> None:
    """Of the design, and of which keys are nested in which."""
    records, found = rows_of(5, 400), []
    for threads in (1, 3):
        folder = tmp_path / str(threads)
        design, _ = build(records, folder, threads=threads)
        nested = find_nested(design, EFFECTS, folder / "nested", threads)
        made = [path for name in ("design", "nested") for path in (folder / name).rglob("*") if path.is_file()]
        files = {str(path.relative_to(folder)): path.read_bytes() for path in made}
        cells = [len(term.effects) for term in design.terms if getattr(term, "cells", None) is not None]
        facts_and_slopes, of_each, of_cells = 2, 2 * len(EFFECTS) - sum(cells), 2 * len(cells)
        assert len(files) == facts_and_slopes + of_each + of_cells + len(nested), "no codes of effects that share cells"
        found.append(([(one.fine, one.coarse) for one in nested], files))
    assert found[0] == found[1]
