"""Numbers the keys of the rows of a fit, shard by shard: makes the design."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import groupby, pairwise
from math import prod
from pathlib import Path

import numpy as np

from engage_pipeline.files.flat_arrays import FlatArray
from engage_pipeline.machine.parallel import in_order
from engage_pipeline.model.effects.design import (
    BLOCK_ROWS,
    NARROW_CODE,
    WIDE_CODE,
    Block,
    Design,
    LocalTerm,
    SharedTerm,
    Term,
)
from engage_pipeline.model.effects.effects import Effect
from engage_pipeline.model.effects.fields import FEW_TOGETHER, EffectRows
from engage_pipeline.model.effects.rows import FACTS, SHARD_ROWS
from engage_pipeline.model.effects.shards import Shards
from engage_pipeline.model.validation_roles import HOLDOUT_ROW
from engage_pipeline.numerics.distinct import Distinct
from engage_pipeline.numerics.fingerprints import NO_FINGERPRINT

_MOST_CELLS, _MOST_NARROW = 1 << 62, 1 << 16


def build_design(
    shards: Shards, effects: Sequence[Effect], folder: Path, threads: int = 1
) -> tuple[Design, list[FlatArray]]:
    """Builds the design of the records (rows.ROW) of `shards` in `folder`, with `threads` threads, an effect each.

    Also returns the keys of each effect by code, uint64 [size]: of a shared effect in the order in which they occur, of
    a local one within each block. The first, also of each block, is NO_FINGERPRINT.
    """
    facts = FlatArray.empty(folder / "facts", FACTS)
    numberings = [(_Local if effect.local else _Shared).empty(folder / effect.name) for effect in effects]
    sizes: list[int] = []
    scales = {one.name: FlatArray.empty(folder / one.name / "slopes", np.float32) for one in effects if one.slope}
    for shard in shards.read():
        order, blocks = _blocks(shard["viewer"], shard["facts"]["fold"])
        records = shard.take(order)
        facts.append(records["facts"])
        rows = EffectRows(**{one.name: records[one.name].astype(np.int64) for one in fields(EffectRows)})
        sizes += np.diff(blocks).tolist()

        def add(place: int, rows: EffectRows = rows, blocks: np.ndarray = blocks) -> None:
            effect = effects[place]
            numberings[place].add(effect.keys(rows).view(np.uint64), blocks)
            if effect.slope:
                scales[effect.name].append(effect.slopes(rows))

        for _ in in_order(add, range(len(effects)), threads):
            pass
    for _ in in_order(lambda numbering: numbering.finish(), numberings, threads):
        pass
    starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    terms = _terms(effects, numberings, scales, starts, folder)
    return Design(starts, facts, tuple(terms)), [numbering.keys for numbering in numberings]


def _blocks(viewers: np.ndarray, folds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows in the order of blocks, int64 [n], and the bounds of the blocks (_cut).

    In a block come training rows, fine-tuning rows by fold, holdout rows, so that fits without the last ones end early;
    those of each in the order of viewers, of a viewer as they are.
    """
    by_viewer = np.argsort(viewers, kind="stable")
    bounds = _cut(viewers[by_viewer])
    block = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    own = folds[by_viewer]
    last = np.where(own == HOLDOUT_ROW, np.iinfo(own.dtype).max, own)  # TRAINING_ROW is below all folds
    return by_viewer[np.lexsort((last, block))], bounds


def _cut(viewers: np.ndarray) -> np.ndarray:
    """Returns the bounds of the blocks of rows in the order of their `viewers` [n], int64 [blocks + 1].

    Rows of a viewer stay together, however many they are; those without one need not.
    """
    begins = np.flatnonzero(np.diff(viewers, prepend=viewers[:1] - 1) | (viewers == NO_FINGERPRINT))
    _, first = np.unique(begins // BLOCK_ROWS, return_index=True)
    return np.append(begins[first], len(viewers))


@dataclass
class _Codes:
    """The codes of an effect, which are NARROW_CODE until there are too many."""

    array: FlatArray

    @classmethod
    def empty(cls, folder: Path) -> "_Codes":
        return cls(FlatArray.empty(folder / "codes", NARROW_CODE))

    def append(self, codes: np.ndarray, size: int) -> None:
        """Writes codes below `size` after the last one."""
        if self.array.dtype == NARROW_CODE and size > _MOST_NARROW:
            narrow, self.array = self.array, FlatArray.empty(self.array.path.with_name("wide_codes"), WIDE_CODE)
            for start in range(0, len(narrow), SHARD_ROWS):
                self.array.append(narrow.read(start, min(start + SHARD_ROWS, len(narrow))))
            narrow.path.unlink()
        self.array.append(codes)


@dataclass
class _Local:
    """The keys of an effect of viewers, numbered in each block."""

    codes: _Codes
    keys: FlatArray
    sizes: list[int] = field(default_factory=list)

    @classmethod
    def empty(cls, folder: Path) -> "_Local":
        return cls(_Codes.empty(folder), FlatArray.empty(folder / "keys", np.uint64))

    def add(self, keys: np.ndarray, blocks: np.ndarray) -> None:
        for start, stop in pairwise(blocks.tolist()):
            found = Distinct(NO_FINGERPRINT)
            self.codes.append(found.numbers(keys[start:stop]), len(found))
            self.keys.append(found.keys)
            self.sizes.append(len(found))

    def finish(self) -> None:
        """Does nothing: the keys of a block are in no other."""

    def term(self, effect: int) -> LocalTerm:
        return LocalTerm(effect, self.codes.array, np.concatenate([[0], np.cumsum(self.sizes, dtype=np.int64)]))


@dataclass
class _Shared:
    """The keys of an effect, numbered in all blocks together."""

    codes: _Codes
    keys: FlatArray
    found: Distinct = field(default_factory=lambda: Distinct(NO_FINGERPRINT))

    @classmethod
    def empty(cls, folder: Path) -> "_Shared":
        return cls(_Codes.empty(folder), FlatArray.empty(folder / "keys", np.uint64))

    def add(self, keys: np.ndarray, blocks: np.ndarray) -> None:
        self.codes.append(self.found.numbers(keys), len(self.found))

    def finish(self) -> None:
        """Writes the keys."""
        self.keys.append(self.found.keys)
        self.found = Distinct(NO_FINGERPRINT)


def _terms(
    effects: Sequence[Effect],
    numberings: Sequence["_Local | _Shared"],
    scales: Mapping[str, FlatArray],
    starts: np.ndarray,
    folder: Path,
) -> Iterator[Term]:
    for few, group in groupby(range(len(effects)), lambda place: _few_together(effects[place])):
        places = list(group)
        if few is not None and len(places) > 1 and prod(len(numberings[place].keys) for place in places) < _MOST_CELLS:
            yield _cells(places, [numberings[place] for place in places], starts, folder / f"cells-{places[0]}")
            continue
        for place in places:
            found = numberings[place]
            if isinstance(found, _Local):
                yield replace(found.term(place), scale=scales.get(effects[place].name))
            else:
                yield SharedTerm((place,), (len(found.keys),), found.codes.array)


def _few_together(effect: Effect) -> frozenset[str] | None:
    """Returns those of FEW_TOGETHER that hold all fields of the effect."""
    return next((fields for fields in FEW_TOGETHER if fields.issuperset(effect.fields)), None)


def _cells(
    places: Sequence[int], numberings: Sequence["_Local | _Shared"], starts: np.ndarray, folder: Path
) -> SharedTerm:
    """Numbers the combinations of codes of several effects: digits of one number, in base of the effects' sizes."""
    sizes = tuple(len(one.keys) for one in numberings)
    cells = _Shared.empty(folder)
    for number, (start, stop) in enumerate(pairwise(starts.tolist())):
        block = Block(number, start, stop)
        codes = [block.read(one.codes.array).astype(np.int64) for one in numberings]
        cells.add(np.ravel_multi_index(codes, sizes).view(np.uint64), starts)
    cells.finish()
    for one in numberings:
        one.codes.array.path.unlink()  # the cells say it
    digits = np.array(np.unravel_index(cells.keys.read().view(np.int64), sizes))
    return SharedTerm(tuple(places), sizes, cells.codes.array, digits)
