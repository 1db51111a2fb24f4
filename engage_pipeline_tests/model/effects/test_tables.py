"""Tables of effects on disk: keys in any order, parts, memory-mapped, and those of earlier versions."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.files.flat_arrays import FlatArray
from engage_pipeline.files.mapped_arrow import MappedArrow
from engage_pipeline.model.effects import tables
from engage_pipeline.model.effects.effects import EFFECTS
from engage_pipeline.model.effects.fields import EffectRows
from engage_pipeline.model.effects.keyed_values import InMemory
from engage_pipeline.model.effects.tables import VALUES, EffectTable, EffectTables, write_description, write_table
from engage_pipeline.numerics.fingerprints import NO_FINGERPRINT
from engage_pipeline.settings.families import EFFECT_FAMILIES

VIEWER, TREND = (next(one for one in EFFECTS if one.name == name) for name in ("viewer", "viewer_trend"))
SIZE = 300
COVARIANCE = np.diag([1.0, 2.0, 3.0, 4.0]) + 0.25
COUPLING = np.arange(16.0).reshape(4, 4)
UNSEEN = [0.0, 0.0, 0.0, 0.0, 1.25, 2.25, 3.25, 4.25]
"""The values of a key that no row has taught."""


def write(folder: Path, size: int = SIZE, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Writes the table of viewers; returns its keys, uint64 [n], and values float32 [n, 8]. A tenth of the keys have
    means of 0, a tenth is NO_FINGERPRINT."""
    rng = np.random.default_rng(seed)
    keys = rng.integers(1, 2**64 - 1, size, np.uint64)
    values = rng.normal(size=(size, VALUES)).astype(np.float32)
    values[:, 1:4] *= rng.random((size, 1)) < 0.5
    values[::10, :4] = 0
    keys[1::10] = NO_FINGERPRINT
    own = FlatArray.empty(folder / "keys", np.uint64)
    own.append(keys)
    kept = values[:, :4].any(axis=1) & (keys != NO_FINGERPRINT)
    assert write_table(own, InMemory(values), folder / "effect_viewer.arrow", folder / "work") == kept.sum()
    return keys[kept], values[kept]


def opened(folder: Path) -> EffectTable:
    write_description(np.arange(4.0), COUPLING, {"viewer": COVARIANCE}, 7, 9, folder)
    return EffectTables.load(folder).tables[0]


@pytest.mark.parametrize("held_bytes", [0, 1 << 30])
@pytest.mark.parametrize("part_keys", [1, 70, 1 << 20])
def test_every_key_has_its_values_and_one_that_no_row_has_taught_the_prior(
    part_keys: int, held_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "PART_KEYS", part_keys)
    monkeypatch.setattr(tables, "HELD_BYTES", held_bytes)
    keys, values = write(tmp_path)
    table = opened(tmp_path)
    assert (len(table.parts) > 1) == (part_keys < SIZE)
    stored = np.concatenate([part[0] for part in table.parts])
    assert stored.tolist() == sorted(keys.tolist())
    wanted = np.concatenate([keys, keys + np.uint64(1), np.array([NO_FINGERPRINT, 1, 2**64 - 1], np.uint64)])
    order = np.random.default_rng(2).permutation(len(wanted))
    expected = np.concatenate([values, np.tile(np.array(UNSEEN, np.float32), (len(wanted) - len(keys), 1))])
    expected[wanted == NO_FINGERPRINT] = 0
    for _ in range(2):
        assert np.array_equal(table.lookup(wanted[order].view(np.int64)), expected[order])
    assert table.lookup(np.zeros(0, np.int64)).shape == (0, VALUES)
    alone = [table.lookup(wanted[place : place + 1].view(np.int64)) for place in range(len(wanted))]
    assert np.array_equal(np.concatenate(alone), expected)


def test_the_order_of_the_keys_changes_no_byte(tmp_path: Path) -> None:
    content = []
    for name, order in (("up", slice(None)), ("down", slice(None, None, -1))):
        own = FlatArray.empty(tmp_path / name / "keys", np.uint64)
        own.append(np.arange(1, 50, dtype=np.uint64)[order] << np.uint64(57))
        values = np.tile(np.arange(1, 50, dtype=np.float32)[order, np.newaxis], (1, VALUES))
        write_table(own, InMemory(values), tmp_path / name / "effect_viewer.arrow", tmp_path / name / "work")
        content.append((tmp_path / name / "effect_viewer.arrow").read_bytes())
    assert content[0] == content[1]


@pytest.mark.parametrize("size", [0, 2])
def test_a_table_may_have_no_keys(size: int, tmp_path: Path) -> None:
    """Of two keys, one has no values and one is none."""
    write(tmp_path, size)
    table = opened(tmp_path)
    assert table.parts == ()
    assert table.lookup(np.array([NO_FINGERPRINT, 5, -1])).tolist() == [[0.0] * VALUES, UNSEEN, UNSEEN]


def test_what_a_large_table_has_read_is_given_back_and_a_small_one_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, _ = write(tmp_path, 200_000)
    table = opened(tmp_path)
    monkeypatch.setattr(tables, "HELD_BYTES", 1 << 30)
    table.lookup(keys.view(np.int64))
    assert _resident(table.file) > 0.9 * _size(tmp_path)
    monkeypatch.setattr(tables, "HELD_BYTES", 1 << 20)
    table.lookup(keys.view(np.int64))
    assert _resident(table.file) < 0.1 * _size(tmp_path)


def test_of_single_keys_a_large_table_gives_back_what_some_of_them_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, _ = write(tmp_path, 200_000)
    table = opened(tmp_path)
    monkeypatch.setattr(tables, "HELD_BYTES", 1 << 20)
    held = []
    for key in keys[:: len(keys) // 100]:
        table.lookup_one(key)
        held.append(_resident(table.file))
    assert max(held[:31]) > 0
    assert [place for place, size in enumerate(held) if not size] == [31, 63, 95]


def _size(folder: Path) -> int:
    return (folder / "effect_viewer.arrow").stat().st_size


def _resident(file: MappedArrow | None) -> int:
    """The bytes of the mapped file that are in this process's memory."""
    assert file is not None
    text = Path("/proc/self/smaps").read_text(encoding="ascii").split("effect_viewer.arrow")[1]
    return int(text.split("Rss:")[1].split()[0]) * 1024


def test_a_description_of_an_earlier_version_is_refused(tmp_path: Path) -> None:
    """Of effects that did not know what the engagements of a row tell of each other."""
    write(tmp_path)
    opened(tmp_path)
    path = tmp_path / "effects.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    del values["coupling"]
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(UserError, match=r"effects.json: made by an earlier version of the program; train a model"):
        EffectTables.load(tmp_path)


def test_the_tables_of_an_earlier_version_are_refused(tmp_path: Path) -> None:
    """They are Parquet files, whose keys are other fingerprints: no look-up would find one."""
    write(tmp_path)
    (tmp_path / "effect_viewer.arrow").unlink()
    pq.write_table(pa.table({"key": [1], "any": [1.0]}), tmp_path / "effect_viewer.parquet")
    with pytest.raises(UserError, match=r"effect_viewer.parquet: made by an earlier version of the program"):
        opened(tmp_path)


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / "effect_viewer.arrow"
    whole = path.read_bytes()
    for content in (b"", b"something else", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"effect_viewer\.arrow: not a table of effects"):
            opened(tmp_path)
    other = pa.table({"key": [1], "values": [1.0]})
    with pa.ipc.new_file(path, other.schema) as writer:
        writer.write_table(other)
    with pytest.raises(UserError, match=r"effect_viewer\.arrow: not a table of effects"):
        opened(tmp_path)


def test_a_row_has_the_sum_of_the_effects_of_each_family(tmp_path: Path) -> None:
    write(tmp_path)
    opened(tmp_path)
    rows = EffectRows(**{field.name: np.arange(1, 4) for field in fields(EffectRows)})
    own = VIEWER.keys(rows).view(np.uint64)
    found = EffectTables.load(tmp_path)
    values = np.arange(24, dtype=np.float32).reshape(3, VALUES)
    table = EffectTable(VIEWER, ((np.sort(own), values),), np.zeros(VALUES, np.float32))
    score = EffectTables((table, table), found.intercepts, COUPLING, {}, 7, 9).score(rows)
    expected = 2.0 * values[np.argsort(np.argsort(own))]
    assert score.families[:, 0].tolist() == expected[:, :4].tolist()
    assert not score.families[:, 1:].any()
    assert score.variances[:, 0].tolist() == expected[:, 4:].tolist()
    assert not score.variances[:, 1:].any()
    assert (found.window_end, found.newest, found.intercepts.tolist()) == (7, 9, [0, 1, 2, 3])
    assert np.array_equal(found.coupling, COUPLING)
    assert found.covariances["viewer"].tolist() == COVARIANCE.tolist()


def test_an_effect_with_a_slope_counts_times_it_and_its_variance_times_the_square() -> None:
    """The first row's viewer is known, the second's no row has taught, the third's is missing."""
    weeks = np.array([-2.0, 3.0, 5.0])
    values = {field.name: np.arange(1, 4) for field in fields(EffectRows)} | {"age": (168 * weeks).astype(np.int64)}
    values["viewer"] = np.array([1, 2, NO_FINGERPRINT])
    rows = EffectRows(**values)
    known, unseen = np.arange(1, 9, dtype=np.float32), np.array(UNSEEN, np.float32)
    table = EffectTable(TREND, ((TREND.keys(rows)[:1].view(np.uint64), known[np.newaxis]),), unseen)
    score = EffectTables((table,), np.zeros(4), COUPLING, {}, 7, 9).score(rows)
    family = list(EFFECT_FAMILIES).index(TREND.family)
    assert score.families[:, family].tolist() == [(-2 * known[:4]).tolist(), [0.0] * 4, [0.0] * 4]
    assert score.variances.sum(axis=1).tolist() == [(4 * known[4:]).tolist(), (9 * unseen[4:]).tolist(), [0.0] * 4]


def test_a_row_alone_has_the_scores_that_it_has_among_others_to_the_last_bit() -> None:
    rng = np.random.default_rng(5)
    values = {field.name: rng.integers(1, 5, 40) for field in fields(EffectRows)} | {"age": rng.integers(0, 1000, 40)}
    rows = EffectRows(**values)
    found = []
    for effect in EFFECTS:
        keys = np.unique(effect.keys(rows).view(np.uint64))[::2]
        part = keys, rng.normal(size=(len(keys), VALUES)).astype(np.float32)
        found.append(EffectTable(effect, (part,), rng.normal(size=VALUES).astype(np.float32)))
    effects = EffectTables(tuple(found), np.zeros(4), COUPLING, {}, 7, 9)
    together = effects.score(rows)
    for place in range(len(rows)):
        alone = effects.score(EffectRows(**{name: own[place : place + 1] for name, own in values.items()}))
        assert np.array_equal(alone.families[0], together.families[place])
        assert np.array_equal(alone.variances[0], together.variances[place])
