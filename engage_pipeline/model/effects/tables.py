"""The fitted effects on disk: an Arrow file for each effect, memory-mapped, and effects.json for the rest.

| file | content |
|---|---|
| `effects.json` | outcomes, intercepts, deviations, effects in order, end of the window of the rows to predict |
| `effect_<name>.arrow` | `key` uint64, rising, and `values`, float32 [5] in the order of OUTCOMES |
| `topics.*`, `communities.parquet` | the models that assign topics and communities |

A table is cut into record batches of about PART_KEYS keys. A key whose values are all 0 is left out.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from engage_pipeline.errors import UserError
from engage_pipeline.files.flat_arrays import FlatArray
from engage_pipeline.files.mapped_arrow import MappedArrow
from engage_pipeline.model.effects.effects import EFFECTS, Effect, families_of, keys_of
from engage_pipeline.model.effects.fields import EffectRows
from engage_pipeline.model.effects.outcomes import OUTCOMES
from engage_pipeline.model.effects.shards import Shards, shards_of
from engage_pipeline.numerics.fingerprints import NO_FINGERPRINT
from engage_pipeline.settings.families import EFFECT_FAMILIES

EFFECTS_FILE = "effects.json"
PART_KEYS = 1 << 20
HELD_BYTES = 32 << 20
"""The memory of a larger table is given back after each look-up: the next one reads it from the system's cache."""
_ENTRY = np.dtype([("key", "u8"), ("values", "f4", len(OUTCOMES))])
_SCHEMA = pa.schema([("key", pa.uint64()), ("values", pa.list_(pa.float32(), len(OUTCOMES)))])


def table_file(effect: str) -> str:
    """Returns the name of the file of an effect."""
    return f"effect_{effect}.arrow"


@dataclass(frozen=True)
class EffectTable:
    """One effect. Each of `parts` has keys uint64 [m], rising, and values float32 [m, 5] in the order of OUTCOMES; all
    keys of a part are below those of the next. `file` is what they are mapped from, if they are."""

    effect: Effect
    parts: tuple[tuple[np.ndarray, np.ndarray], ...]
    file: MappedArrow | None = None

    def lookup(self, keys: np.ndarray) -> np.ndarray:
        """Returns the values of `keys` int64 [n], float32 [n, 5]; 0 for keys that are missing or were never seen."""
        wanted = keys.view(np.uint64)
        if len(self.parts) == 1 and len(self.parts[0][0]):
            found = _lookup(*self.parts[0], wanted)
            self._release()
            return found
        found = np.zeros((len(wanted), len(OUTCOMES)), np.float32)
        order = np.argsort(wanted, kind="stable")
        parts = [part for part in self.parts if len(part[0])]
        bounds = np.searchsorted(wanted[order], np.array([keys[0] for keys, _ in parts], np.uint64))
        for part, members in zip(parts, np.split(order, bounds)[1:], strict=True):
            if len(members):
                found[members] = _lookup(*part, wanted[members])
                self._release()
        return found

    def _release(self) -> None:
        if self.file is not None and self.file.bytes > HELD_BYTES:
            self.file.release()


def _lookup(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    places = keys.searchsorted(wanted)
    found = values.take(places, axis=0, mode="clip")
    found[keys.take(places, mode="clip") != wanted] = 0
    return found


@dataclass(frozen=True)
class EffectTables:
    """The effects of a fit: tables in the order of EFFECTS, intercepts float64 [5] in that of OUTCOMES."""

    tables: tuple[EffectTable, ...]
    intercepts: np.ndarray
    deviations: Mapping[str, Mapping[str, float]]
    window_end: int

    def score(self, rows: EffectRows) -> np.ndarray:
        """Returns the contribution of each of EFFECT_FAMILIES to the log-odds, float64 [n, 8, 5]; 0 if it is off."""
        families = np.zeros((len(rows), len(EFFECT_FAMILIES), len(OUTCOMES)))
        places = {name: place for place, name in enumerate(EFFECT_FAMILIES)}
        keys = keys_of([table.effect for table in self.tables], rows)
        for table, own in zip(self.tables, keys, strict=True):
            families[:, places[table.effect.family]] += table.lookup(own)
        return families

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Opens the files of `write_description` and `write_table`. Raises UserError naming a file that is missing or
        made for other effects."""
        path = folder / EFFECTS_FILE
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            known = {effect.name: effect for effect in EFFECTS}
            if tuple(values["outcomes"]) != OUTCOMES or set(values["effects"]) - set(known):
                raise UserError(f"{path}: made for other effects; fit them again")
            tables = tuple(_open_table(folder, known[name]) for name in values["effects"])
            return cls(tables, np.array(values["intercepts"]), values["deviations"], int(values["window_end"]))
        except FileNotFoundError as error:
            raise UserError(f"{path}: no such file") from error
        except (ValueError, KeyError, TypeError, pa.ArrowInvalid) as error:
            raise UserError(f"{path}: not a description of effects") from error


def write_description(
    effects: Sequence[Effect],
    intercepts: np.ndarray,
    deviations: Mapping[str, Mapping[str, float]],
    window_end: int,
    folder: Path,
) -> None:
    """Writes effects.json into `folder`; for the arguments see EffectTables."""
    values: dict[str, Any] = {
        "outcomes": list(OUTCOMES),
        "families": list(families_of(effects)),
        "effects": [effect.name for effect in effects],
        "intercepts": intercepts.tolist(),
        "deviations": deviations,
        "window_end": window_end,
    }
    (folder / EFFECTS_FILE).write_text(json.dumps(values, indent=1), encoding="utf-8")


def write_table(effect: Effect, keys: FlatArray, values: Sequence[FlatArray], folder: Path, workspace: Path) -> int:
    """Writes the table of an effect into `folder`; returns the number of its keys.

    `keys` uint64 [size], in any order, NO_FINGERPRINT maybe several times; `values` float32 [size] for each of
    OUTCOMES. `workspace` holds the keys until they are sorted.
    """
    size = len(keys)
    parts = Shards.empty(workspace, max(1, -(-size // PART_KEYS)), _ENTRY)
    for start in range(0, size, PART_KEYS):
        stop = min(start + PART_KEYS, size)
        entries = np.empty(stop - start, _ENTRY)
        entries["key"] = keys.read(start, stop)
        for place, one in enumerate(values):
            entries["values"][:, place] = one.read(start, stop)
        entries = entries[entries["values"].any(axis=1) & (entries["key"] != NO_FINGERPRINT)]
        parts.add(entries, shards_of(entries["key"], len(parts)))
    count = 0
    with pa.ipc.new_file(folder / table_file(effect.name), _SCHEMA) as writer:
        for entries in parts.read():
            writer.write_batch(_batch(entries[np.argsort(entries["key"])]))
            count += len(entries)
    return count


def _batch(entries: np.ndarray) -> pa.RecordBatch:
    numbers = pa.array(np.ascontiguousarray(entries["values"]).ravel())
    values = pa.FixedSizeListArray.from_arrays(numbers, len(OUTCOMES))
    return pa.RecordBatch.from_arrays([pa.array(np.ascontiguousarray(entries["key"])), values], schema=_SCHEMA)


def _open_table(folder: Path, effect: Effect) -> EffectTable:
    path = folder / table_file(effect.name)
    before = path.with_suffix(".parquet")
    if before.is_file():  # of an earlier version of the program, whose fingerprints were others
        raise UserError(f"{before}: made by an earlier version of the program; train a model again")
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        file = MappedArrow(path, _SCHEMA)
    except (ValueError, OSError) as error:
        raise UserError(f"{path}: not a table of effects") from error
    parts = [(batch["key"].to_numpy(), batch["values"].flatten().to_numpy()) for batch in file.batches]
    return EffectTable(effect, tuple((keys, values.reshape(-1, len(OUTCOMES))) for keys, values in parts), file)
