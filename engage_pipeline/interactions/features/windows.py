"""The counters of rows, looked up in the tables of a window.

    windows = Windows.open(settings, training_counts=…, similarity=…, validation_counts=…)
    asked = tweets.asked(windows.columns)
    columns = windows.training_counters(asked) | windows.validation_counters(asked, FINETUNE_SCOPE)

What does not belong here: the tables (counters.tables), a training row's own day (shards.leaving_out).
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, Self, TypedDict

import numpy as np
import numpy.typing as npt

from engage_pipeline import schema
from engage_pipeline.interactions.counters.counting import LABELLED_SCOPE, TRAINING_SCOPE, chunk_scope
from engage_pipeline.interactions.counters.tables import Found, Places, SideTables, Window
from engage_pipeline.interactions.features.tweets import Asked
from engage_pipeline.interactions.graphs.edges import SCORE_UNITS, Edges
from engage_pipeline.interactions.shards.grouping import COUNTS
from engage_pipeline.interactions.shards.rows import Ids, Lists
from engage_pipeline.interactions.shards.sides import Side, sides_of
from engage_pipeline.settings.families import (
    AUTHOR,
    FAMILY_OF_KEY,
    REVERSED,
    SIMILAR,
    TRAINING,
    VALIDATION,
    VIEWER,
    Key,
    counted_keys,
)
from engage_pipeline.settings.settings import Settings

Kind = Literal["training", "validation", "test"]
Columns = dict[str, npt.NDArray]
"""Columns [n] by name."""


class Counts(TypedDict):
    """The folders of both windows' counts, and of author_similarity."""

    training_counts: Path
    similarity: Path
    validation_counts: Path


def counter_family(key: str) -> str:
    """Returns the family in features.families that has the key (docs/specification.md, sections 3 and 4)."""
    return FAMILY_OF_KEY[key].name


@dataclass(frozen=True)
class Windows:
    """The tables of both windows, and the similar authors; `families` are those that are on."""

    folders: Counts
    families: Collection[str]
    _windows: dict[str, Window] = field(default_factory=dict)

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process opens the tables itself."""
        return type(self), (self.folders, self.families)

    @classmethod
    def of(cls, settings: Settings, folders: Counts) -> Self:
        """Opens the folders; a table is read when it is looked up."""
        return cls(folders, frozenset(settings.features.families))

    @cached_property
    def sides(self) -> dict[str, tuple[Side, ...]]:
        """The sides of each window."""
        return {window: sides_of(counted_keys(window, self.families)) for window in (TRAINING, VALIDATION)}

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The raw columns that look-ups need."""
        keys = [key for sides in self.sides.values() for side in sides for key in (side.own, *side.nested)]
        return tuple(dict.fromkeys(key.column for key in keys))

    @cached_property
    def edges(self) -> Edges:
        """The similar authors."""
        return Edges.open(self.folders["similarity"])

    def hold(self) -> None:
        """Opens what rows of the kind `test` look up, so that the files can be removed."""
        self._window("training_counts", TRAINING_SCOPE, TRAINING)
        self._window("validation_counts", LABELLED_SCOPE, VALIDATION)
        _ = self.edges

    def training_counters(self, asked: Asked) -> Columns:
        """Returns the training window's counts of rows that are not in it, similar authors included."""
        window = self._window("training_counts", TRAINING_SCOPE, TRAINING)
        found: Columns = {}
        for name, tables in window.sides.items():
            places = tables.find(asked.ids[tables.side.column])
            found |= self._of_side(tables, places, asked, "")
            if name == PAIR_SIDE and self._on(SIMILAR):
                found |= self._similar(tables, places, asked)
        return found

    def validation_counters(self, asked: Asked, scope: str, split: npt.NDArray[np.int64] | None = None) -> Columns:
        """Returns the validation window's counts; with `split` [n], rows of a chunk are counted without their chunk."""
        found = self._all_validation(asked, scope)
        if split is None:
            return found
        for chunk in np.unique(split[split >= 0]).tolist():
            inside = np.flatnonzero(split == chunk)
            own = self._all_validation(_rows(asked, inside), chunk_scope(chunk))
            for name, counts in own.items():
                found[name][inside] -= counts
        return found

    def similar_sums(self, authors: Ids) -> Columns:
        """Returns the sum of the scores of the authors similar to each row's author."""
        if not self._on(SIMILAR):
            return {}
        order, hashes, _ = authors.by_hash
        places = self.edges.find(hashes)
        known = np.flatnonzero(places >= 0)
        sums = np.zeros(len(places), np.int64)
        sums[order[known]] = self.edges.sums[places[known]]
        return {schema.SIMILARITY_FEATURES[-1]: sums / SCORE_UNITS}

    def _all_validation(self, asked: Asked, scope: str) -> Columns:
        window = self._window("validation_counts", scope, VALIDATION)
        found: Columns = {}
        for tables in window.sides.values():
            places = tables.find(asked.ids[tables.side.column])
            found |= self._of_side(tables, places, asked, schema.VALIDATION_PREFIX)
        return found | self._reversed(window, asked)

    def _of_side(self, tables: SideTables, places: Places, asked: Asked, prefix: str) -> Columns:
        found: Columns = {}
        if self._on(tables.side.own):
            found |= named(f"{prefix}{tables.side.name}", tables.counts(places, asked.rows))
        for key in tables.side.nested:
            if self._on(key):
                counts = tables.nested_counts(key, places, asked.values(key.column), asked.rows)
                found |= named(f"{prefix}{key.name}", counts)
        return found

    def _reversed(self, window: Window, asked: Asked) -> Columns:
        """Returns counts with author and viewer swapped."""
        swapped = {AUTHOR: VIEWER, VIEWER: AUTHOR}
        found: Columns = {}
        for tables in window.sides.values():
            nested = {key.name: key for key in tables.side.nested}
            keys = [key for key in REVERSED if self._on(key) and key.counts in {tables.side.name, *nested}]
            if not keys:
                continue
            places = tables.find(asked.ids[swapped[tables.side.column]])
            for key in keys:
                if key.counts == tables.side.name:
                    counts = tables.counts(places, asked.rows)
                else:
                    pair = nested[key.counted]
                    counts = tables.nested_counts(pair, places, asked.ids[swapped[pair.column]], asked.rows)
                found |= named(f"{schema.VALIDATION_PREFIX}{key.name}", counts)
        return found

    def _similar(self, tables: SideTables, found: Places, asked: Asked) -> Columns:
        """Returns what each row's viewer did with authors similar to the row's author."""
        pair = next(key for key in tables.side.nested if key.name == SIMILAR.counts)
        known = np.zeros(asked.rows, np.bool_)
        known[found.rows] = True
        authors = self.edges.find(asked.ids[AUTHOR].hashes)
        some = np.flatnonzero(known & (authors >= 0))
        if not len(some):
            return {f"{SIMILAR.name}_{name}": np.zeros(asked.rows) for name in schema.ENGAGEMENTS}
        _, edge = self.edges.expanded(authors[some])
        lengths = np.zeros(asked.rows, np.int64)
        lengths[some] = self.edges.sizes[authors[some]]
        return self._scored(tables, pair, found, Lists(np.cumsum(lengths), self.edges.similar[edge]), edge, asked.rows)

    def _scored(
        self, tables: SideTables, pair: Key, found: Places, similar: Lists, edge: npt.NDArray[np.int64], rows: int
    ) -> Columns:
        entries = len(similar.values)
        row = np.repeat(np.arange(rows), similar.lengths())
        each = tables.nested_counts(
            pair, _entries(found, similar), Ids(similar.values, np.zeros(0, np.uint16)), entries
        )
        scores = self.edges.scores[edge]
        columns: Columns = {}
        for place, name in enumerate(schema.ENGAGEMENTS):
            hits = np.flatnonzero(each[place])
            total = np.zeros(rows, np.int64)
            np.add.at(total, row[hits], each[place][hits] * scores[hits])
            columns[f"{SIMILAR.name}_{name}"] = total / SCORE_UNITS
        return columns

    def _window(self, folder: Literal["training_counts", "validation_counts"], scope: str, window: str) -> Window:
        name = f"{folder}/{scope}"
        if name not in self._windows:
            self._windows[name] = Window.open(self.folders[folder], scope, self.sides[window])
        return self._windows[name]

    def _on(self, key: Key) -> bool:
        return counter_family(key.name) in self.families


PAIR_SIDE = "viewer"
"""The side of pairs."""


def named(counter: str, counts: Found) -> Columns:
    """Returns the counts of rows by name, such as `pair_like`."""
    return dict(zip(_names(counter), counts, strict=True))


@cache
def _names(counter: str) -> tuple[str, ...]:
    return tuple(f"{counter}_{name}" for name in COUNTS)


def _rows(asked: Asked, rows: npt.NDArray[np.int64]) -> Asked:
    ids = {name: ids.take(rows) for name, ids in asked.ids.items()}
    return Asked(ids, {name: lists.take(rows) for name, lists in asked.lists.items()}, len(rows))


def _entries(found: Places, lists: Lists) -> Places:
    """Returns the places of the entries of lists, from those of their rows."""
    lengths = lists.lengths()
    sizes = lengths[found.rows]
    entries = found.repeated(sizes)
    firsts = (lists.ends - lengths)[found.rows] - (np.cumsum(sizes) - sizes)
    return replace(entries, rows=np.arange(len(entries.rows)) + np.repeat(firsts, sizes))
