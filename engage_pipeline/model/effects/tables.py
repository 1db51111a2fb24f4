"""The fitted effects on disk: an Arrow file for each effect, memory-mapped, and effects.json for the rest.

| file | content |
|---|---|
| `effects.json` | engagements, intercepts, coupling, covariances, effects in order, ends of the windows |
| `effect_<name>.arrow` | `key` uint64, rising, and `values`, float32 [8]: means, then variances, of TARGETS |
| `decided_*` | the same of effects that no holdout row has taught, by which a candidate is compared |
| `topics.*`, `communities.parquet` | the models that assign topics and communities |

A table is cut into record batches of about PART_KEYS keys. A key that no row has taught is left out.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.files.flat_arrays import FlatArray
from engage_pipeline.files.mapped_arrow import MappedArrow
from engage_pipeline.model.effects.effects import EFFECTS, Effect, keys_of
from engage_pipeline.model.effects.fields import EffectRows
from engage_pipeline.model.effects.shards import Shards, members_of, shards_of
from engage_pipeline.numerics.fingerprints import NO_FINGERPRINT
from engage_pipeline.settings.families import EFFECT_FAMILIES

if TYPE_CHECKING:
    from engage_pipeline.model.effects.keyed_values import Array

EFFECTS_FILE, _TABLE = "effects.json", ".arrow"
PART_KEYS = 1 << 20
HELD_BYTES = 32 << 20
"""The memory of a larger table is given back after look-ups: the next ones read it from the system's cache."""
_LOOKS = 32
"""Of one key, between which it is kept: each asks for some 300 KB that the others do not, and to ask again takes longer
than to look."""
_K = len(schema.TARGETS)
_PLACES = {name: place for place, name in enumerate(EFFECT_FAMILIES)}
VALUES = 2 * _K
"""Of a key: the means of its effect on TARGETS, then the variances."""
_KEY, _VALUES = np.dtype(np.uint64), np.dtype((np.float32, VALUES))
_NOTHING = np.zeros(VALUES, np.float32)
_SCHEMA = pa.schema([("key", pa.uint64()), ("values", pa.list_(pa.float32(), VALUES))])


def copy_file(source: Path, target: Path) -> None:
    """Copies a published file that belongs to effects or to a model of them. A table, which is large, is shared."""
    if source.suffix == _TABLE:
        atomic.share(source, target)
    else:
        shutil.copyfile(source, target)


def table_file(effect: str, prefix: str = "") -> str:
    """Returns the name of the file of an effect."""
    return f"{prefix}effect_{effect}{_TABLE}"


@dataclass(frozen=True)
class EffectTable:
    """One effect. Each of `parts` has keys uint64 [m], rising, and values float32 [m, 8]; all keys of a part are below
    those of the next. `unseen` float32 [8] are the values of a key that no row has taught. `file` is what they are
    mapped from, if they are."""

    effect: Effect
    parts: tuple[tuple[np.ndarray, np.ndarray], ...]
    unseen: np.ndarray
    file: MappedArrow | None = None

    def values(self, keys: np.ndarray, rows: EffectRows) -> np.ndarray:
        """Returns the values of `keys` int64 [n] of n rows, times their slopes, float32 [n, 8]; not to be changed."""
        return self.by_slope(self.lookup(keys), rows)

    def by_slope(self, found: np.ndarray, rows: EffectRows) -> np.ndarray:
        """Returns what was `found` of the keys of `rows`, float32 [n, 8], times their slopes."""
        if not self.effect.slope:
            return found
        slopes = self.effect.slopes(rows)[:, np.newaxis]
        factors = np.concatenate([np.repeat(slopes, _K, axis=1), np.repeat(slopes**2, _K, axis=1)], axis=1)
        return (found * factors).astype(np.float32)

    def lookup(self, keys: np.ndarray) -> np.ndarray:
        """Returns the values of `keys` int64 [n], float32 [n, 8]; 0 for keys that are missing."""
        wanted = keys.view(np.uint64)
        if len(wanted) == 1:
            return self.lookup_one(wanted[0])[np.newaxis]
        found = np.tile(self.unseen, (len(wanted), 1))
        found[wanted == np.uint64(NO_FINGERPRINT)] = 0
        parts = [part for part in self.parts if len(part[0])]
        order = np.argsort(wanted)  # neighbours then end at the same places
        bounds = np.searchsorted(wanted[order], np.array([keys[0] for keys, _ in parts], np.uint64))
        for part, members in zip(parts, np.split(order, bounds)[1:], strict=True):
            if len(members):
                self._fill(*part, wanted, members, found)
        return found

    def lookup_one(self, key: np.uint64) -> np.ndarray:
        """Returns the values of one key, float32 [8]."""
        found = self.unseen if key else _NOTHING
        for keys, values in self.parts:
            place = keys.searchsorted(key)
            if place < len(keys):
                found = values[place].copy() if keys[place] == key else found
                break
        self._looked(_LOOKS)
        return found

    def _fill(
        self, keys: np.ndarray, values: np.ndarray, wanted: np.ndarray, members: np.ndarray, found: np.ndarray
    ) -> None:
        """Writes the values of those of the `members` of `wanted` that are among `keys` into `found`."""
        own = wanted[members]
        places = keys.searchsorted(own)
        known = keys.take(places, mode="clip") == own
        found[members[known]] = values.take(places[known], axis=0)
        self._looked(1)

    def _looked(self, most: int) -> None:
        if self.file is not None and self.file.bytes > HELD_BYTES:
            self.file.looked(most)


@dataclass(frozen=True)
class Scores:
    """The log-odds of n rows: what EFFECT_FAMILIES add to their means and variances, float64 [n, families, 4]
    each."""

    families: np.ndarray
    variances: np.ndarray


@dataclass(frozen=True)
class EffectTables:
    """The effects of a fit: tables in the order of EFFECTS; in that of TARGETS intercepts float64 [4], and coupling
    [4, 4], for which see marginal_logits.

    `covariances` float64 [4, 4] by the name of the effect. Times are Unix seconds: `window_end` of the rows to predict,
    `newest` of all rows of the fit.
    """

    tables: tuple[EffectTable, ...]
    intercepts: np.ndarray
    coupling: np.ndarray
    covariances: Mapping[str, np.ndarray]
    window_end: int
    newest: int

    def score(self, rows: EffectRows) -> Scores:
        """Returns the scores of rows; families that are off contribute 0."""
        families = np.zeros((len(rows), len(EFFECT_FAMILIES), _K))
        variances = np.zeros_like(families)
        keys = keys_of([table.effect for table in self.tables], rows)
        places = [_PLACES[table.effect.family] for table in self.tables]
        if len(rows) == 1 and places:  # two additions instead of two for each effect
            values = self._of_one(keys.view(np.uint64)[:, 0], rows)
            np.add.at(families[0], places, values[:, :_K])
            np.add.at(variances[0], places, values[:, _K:])
            return Scores(families, variances)
        for place, table, own in zip(places, self.tables, keys, strict=True):
            values = table.values(own, rows)
            families[:, place] += values[:, :_K]
            variances[:, place] += values[:, _K:]
        return Scores(families, variances)

    def _of_one(self, keys: np.ndarray, row: EffectRows) -> np.ndarray:
        """Returns the values of all effects for one row, whose `keys` are uint64 [effects]: float32 [effects, 8]."""
        values = np.array([table.lookup_one(key) for table, key in zip(self.tables, keys, strict=True)])
        for place, table in enumerate(self.tables):
            if table.effect.slope:
                values[place] = table.by_slope(values[place : place + 1], row)[0]
        return values

    @classmethod
    def load(cls, folder: Path, prefix: str = "") -> Self:
        """Opens the files of `write_description` and `write_table`. Raises UserError naming a file that is missing or
        made for other effects."""
        path = folder / f"{prefix}{EFFECTS_FILE}"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if "coupling" not in values:
                raise UserError(f"{path}: made by an earlier version of the program; train a model again")
            known = {effect.name: effect for effect in EFFECTS}
            if tuple(values["engagements"]) != schema.TARGETS or set(values["covariances"]) - set(known):
                raise UserError(f"{path}: made for other effects; fit them again")
            covariances = {name: np.array(own, np.float64) for name, own in values["covariances"].items()}
            paths = {name: folder / table_file(name, prefix) for name in covariances}
            tables = tuple(_open_table(paths[name], known[name], own) for name, own in covariances.items())
            ends = int(values["window_end"]), int(values["newest"])
            return cls(tables, np.array(values["intercepts"]), np.array(values["coupling"]), covariances, *ends)
        except FileNotFoundError as error:
            raise UserError(f"{path}: no such file") from error
        except (ValueError, KeyError, TypeError, pa.ArrowInvalid) as error:
            raise UserError(f"{path}: not a description of effects") from error


def write_description(
    intercepts: np.ndarray,
    coupling: np.ndarray,
    covariances: Mapping[str, np.ndarray],
    window_end: int,
    newest: int,
    folder: Path,
    prefix: str = "",
) -> None:
    """Writes effects.json into `folder`; for the arguments see EffectTables, whose tables are in that order."""
    values: dict[str, Any] = {
        "engagements": list(schema.TARGETS),
        "intercepts": intercepts.tolist(),
        "coupling": coupling.tolist(),
        "covariances": {name: own.tolist() for name, own in covariances.items()},
        "window_end": window_end,
        "newest": newest,
    }
    (folder / f"{prefix}{EFFECTS_FILE}").write_text(json.dumps(values, indent=1), encoding="utf-8")


def write_table(keys: FlatArray, found: "Array", path: Path, workspace: Path) -> int:
    """Writes the table of an effect into the file `path`; returns the number of its keys.

    `keys` uint64 [size], in any order, NO_FINGERPRINT maybe several times; `found` float32 [size, 8] their values.
    `workspace` holds more than PART_KEYS keys until they are sorted.
    """
    count = 0
    with pa.ipc.new_file(path, _SCHEMA) as writer:
        for own, values in _parts(keys, found, workspace):
            order = _taught(own, values)
            if not len(order):
                continue
            numbers = pa.array(values.take(order, axis=0).ravel())
            columns = [pa.array(own.take(order)), pa.FixedSizeListArray.from_arrays(numbers, VALUES)]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=_SCHEMA))
            count += len(order)
    return count


def _parts(keys: FlatArray, found: "Array", workspace: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields keys, in any order, and values of each part of a table."""
    size = len(keys)
    if size <= PART_KEYS:
        yield keys.read(), found.read()
        return
    count = -(-size // PART_KEYS)
    parts = [Shards.empty(workspace / name, count, dtype) for name, dtype in (("keys", _KEY), ("values", _VALUES))]
    for start in range(0, size, PART_KEYS):
        stop = min(start + PART_KEYS, size)
        columns = keys.read(start, stop), found.read(start, stop)
        members = members_of(shards_of(columns[0], count), count)
        for column, part in zip(columns, parts, strict=True):
            part.add_members(column, members)
    yield from zip(*(part.read() for part in parts), strict=True)


def _taught(keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Returns the places of the keys that a row has taught, in the order of the keys."""
    says = np.logical_or.reduce([values[:, one] != 0 for one in range(_K)])
    taught = np.flatnonzero(says & (keys != NO_FINGERPRINT))
    return taught.take(np.argsort(keys.take(taught)))


def _open_table(path: Path, effect: Effect, covariance: np.ndarray) -> EffectTable:
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
    unseen = np.concatenate([np.zeros(_K), np.diag(covariance)]).astype(np.float32)
    return EffectTable(effect, tuple((keys, values.reshape(-1, VALUES)) for keys, values in parts), unseen, file)
