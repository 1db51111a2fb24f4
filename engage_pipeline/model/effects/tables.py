"""The fitted effects on disk: a Parquet file for each effect, and effects.json for the rest.

| file | content |
|---|---|
| `effects.json` | outcomes, intercepts, deviations, effects in order, end of the window of the rows to predict |
| `effect_<name>.parquet` | `key` int64, sorted, and a float32 column for each outcome |
| `topics.*`, `communities.parquet` | the models that assign topics and communities |
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.errors import UserError
from engage_pipeline.model.effects.effects import EFFECTS, Effect, families_of, keys_of
from engage_pipeline.model.effects.fields import EffectRows
from engage_pipeline.model.effects.outcomes import OUTCOMES
from engage_pipeline.settings.families import EFFECT_FAMILIES

EFFECTS_FILE = "effects.json"


def table_file(effect: str) -> str:
    """Returns the name of the file of an effect."""
    return f"effect_{effect}.parquet"


@dataclass(frozen=True)
class EffectTable:
    """One effect: `keys` int64 [m], sorted; `values` float32 [m, 5] in the order of OUTCOMES."""

    effect: Effect
    keys: np.ndarray
    values: np.ndarray

    def lookup(self, keys: np.ndarray) -> np.ndarray:
        """Returns the values of `keys` int64 [n], float32 [n, 5]; 0 for keys that are missing or were never seen."""
        if not len(self.keys):
            return np.zeros((len(keys), len(OUTCOMES)), np.float32)
        places = self.keys.searchsorted(keys)
        found = self.values.take(places, axis=0, mode="clip")
        found[self.keys.take(places, mode="clip") != keys] = 0
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

    def save(self, folder: Path) -> None:
        """Writes effects.json and the tables into `folder`."""
        values: dict[str, Any] = {
            "outcomes": list(OUTCOMES),
            "families": list(families_of([table.effect for table in self.tables])),
            "effects": [table.effect.name for table in self.tables],
            "intercepts": self.intercepts.tolist(),
            "deviations": self.deviations,
            "window_end": self.window_end,
        }
        (folder / EFFECTS_FILE).write_text(json.dumps(values, indent=1), encoding="utf-8")
        for table in self.tables:
            columns = {"key": table.keys} | dict(zip(OUTCOMES, table.values.T, strict=True))
            pq.write_table(pa.table(columns), folder / table_file(table.effect.name), compression="zstd")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads what `save` wrote. Raises UserError naming a file that is missing or made for other effects."""
        path = folder / EFFECTS_FILE
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            known = {effect.name: effect for effect in EFFECTS}
            if tuple(values["outcomes"]) != OUTCOMES or set(values["effects"]) - set(known):
                raise UserError(f"{path}: made for other effects; fit them again")
            tables = tuple(_read_table(folder / table_file(name), known[name]) for name in values["effects"])
            return cls(tables, np.array(values["intercepts"]), values["deviations"], int(values["window_end"]))
        except FileNotFoundError as error:
            raise UserError(f"{path}: no such file") from error
        except (ValueError, KeyError, TypeError, pa.ArrowInvalid) as error:
            raise UserError(f"{path}: not a description of effects") from error


def _read_table(path: Path, effect: Effect) -> EffectTable:
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    table = pq.read_table(path)
    values = np.column_stack([table[name].to_numpy() for name in OUTCOMES]).astype(np.float32)
    return EffectTable(effect, table["key"].to_numpy(), values.reshape(-1, len(OUTCOMES)))
