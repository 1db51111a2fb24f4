"""Rows as the network reads them: row-major arrays of its input columns, read from feature Parquet files.

What belongs here: turning columns into arrays. What does not: turning arrays into the network's input (inputs), the
order in which rows are read (schedule), and how many are held (buffer).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.files.parquet import group_ends
from engage_pipeline.interactions.features.rows import FeatureFile
from engage_pipeline.model.feature_columns import Features, column_values, flag_matrix, number_matrix
from engage_pipeline.model.network.vocabulary import PEOPLE, Vocabulary
from engage_pipeline.numerics.categories import category_numbers
from engage_pipeline.numerics.token_bytes import tokens_of

CATEGORIES = ("language", "hour", "day_of_month")
INPUT_COLUMNS = (
    *schema.NUMBERS,
    *schema.EXPOSURE_FEATURES,
    *schema.BINARY_FEATURES,
    *CATEGORIES,
    *schema.TOKEN_COLUMNS,
)
COUNTS = tuple(name for name in schema.INTERACTION_FEATURES if name not in schema.SIMILARITY_FEATURES)
OTHERS = (*schema.SIMILARITY_FEATURES, *schema.PROFILE_NUMBERS)
"""Of schema.NUMBERS those that feature rows have as int32, and the others."""
_PLACES = [[schema.NUMBERS.index(name) for name in names] for names in (COUNTS, OTHERS)]
Rule = Callable[[np.ndarray], np.ndarray]
"""Chooses validation rows: their column `split`, int [n] -> bool [n]."""
_FIXED = ("counts", "numbers", "exposures", "flags", "categories", "people", "lengths", "labels")
"""The fields of Rows with one entry a row."""


@dataclass(frozen=True)
class Rows:
    """n rows in memory, about 600 bytes each.

    counts int32 [n, 60 + 4 k] in the order of COUNTS, then the TARGETS of k counters beyond the reference; numbers
    float64 [n, 13] in that of OTHERS; exposures int32 [n, 14 + k]; flags bool [n, 12]; categories int32 [n, 3] (index
    of the language, hour, day of month from 0); people int32 [n, 2] (Vocabulary.people_of, [n, 0] without a
    vocabulary); tokens int32 [sum of lengths]; lengths int64 [n]; labels bool [n, 4] in the order of TARGETS ([n, 0]
    for unlabelled rows).
    """

    counts: np.ndarray
    numbers: np.ndarray
    exposures: np.ndarray
    flags: np.ndarray
    categories: np.ndarray
    people: np.ndarray
    tokens: np.ndarray
    lengths: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.lengths)

    @cached_property
    def _starts(self) -> np.ndarray:
        """The position of each row's first token, int64 [n]."""
        return np.cumsum(self.lengths) - self.lengths

    def known_numbers(self) -> np.ndarray:
        """Returns the numbers of the reference, float64 [n, 73] in the order of schema.NUMBERS."""
        found = np.empty((len(self), len(schema.NUMBERS)))
        found[:, _PLACES[0]] = self.counts[:, : len(COUNTS)]
        found[:, _PLACES[1]] = self.numbers
        return found

    def take(self, index: np.ndarray) -> "Rows":
        """Returns the rows at the positions `index`, in that order."""
        lengths = self.lengths[index]
        starts = self._starts[index]
        shift = np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
        fixed = {name: getattr(self, name)[index] for name in _FIXED}
        return Rows(tokens=self.tokens[shift + np.arange(len(shift))], **fixed)


def empty_rows(count: int, further: int = 0, *, people: int = 0) -> Rows:
    """Returns rows without tokens, counts, flags and labels, in the first language.

    Their people are unknown (`people` columns, 0 or 2). `further` is the number of counters beyond the reference.
    """
    return Rows(
        counts=np.zeros((count, len(COUNTS) + further * len(schema.TARGETS)), np.int32),
        numbers=np.zeros((count, len(OTHERS))),
        exposures=np.zeros((count, len(schema.EXPOSURE_FEATURES) + further), np.int32),
        flags=np.zeros((count, len(schema.BINARY_FEATURES)), np.bool_),
        categories=np.zeros((count, len(CATEGORIES)), np.int32),
        people=np.zeros((count, people), np.int32),
        tokens=np.zeros(0, np.int32),
        lengths=np.zeros(count, np.int64),
        labels=np.zeros((count, 0), np.bool_),
    )


def concatenate(pieces: Iterable[Rows], count: int) -> Rows:
    """Returns the rows of `pieces` (at least one), in order; `count` is their number.

    Each piece is copied into place as it comes, so that an iterator's pieces are never held together.
    """
    whole: dict[str, np.ndarray] = {}
    tokens, done = [], 0
    for piece in pieces:
        for name in _FIXED:
            values = getattr(piece, name)
            if name not in whole:
                whole[name] = np.empty((count, *values.shape[1:]), values.dtype)
            whole[name][done : done + len(piece)] = values
        tokens.append(piece.tokens)
        done += len(piece)
    if done != count:
        raise ValueError(f"{done} rows, not {count}")
    return Rows(tokens=np.concatenate(tokens), **whole)


@dataclass(frozen=True)
class RowReader:
    """What a network reads of a row: the languages that it knows, counters beyond the reference, its vocabulary."""

    languages: Sequence[str]
    further: Sequence[str] = ()
    vocabulary: Vocabulary | None = None

    def rows(self, table: Features, *, labelled: bool) -> Rows:
        """Returns the rows of `table`, which has the columns of `columns`, and TARGETS if `labelled`.

        A language that is missing or not among the known gets the index after the last. Raises ValueError for any other
        null.
        """
        offsets, tokens = tokens_of(table)
        counted = [f"{counter}_{target}" for counter in self.further for target in schema.TARGETS]
        shown = [f"{counter}_exposures" for counter in self.further]
        language = category_numbers(table["language"], self.languages)
        clock = [column_values(table, name) for name in CATEGORIES[1:]]
        lengths = np.diff(offsets)
        none = np.zeros((len(lengths), 0), np.int32)
        return Rows(
            counts=number_matrix(table, (*COUNTS, *counted), np.int32),
            numbers=number_matrix(table, OTHERS, np.float64),
            exposures=number_matrix(table, (*schema.EXPOSURE_FEATURES, *shown), np.int32),
            flags=flag_matrix(table, schema.BINARY_FEATURES),
            categories=np.stack([language, *clock], axis=1).astype(np.int32),
            people=none if self.vocabulary is None else self.vocabulary.people_of(table).astype(np.int32),
            tokens=tokens,
            lengths=lengths,
            labels=flag_matrix(table, schema.TARGETS if labelled else ()),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of feature rows that are read."""
        people = PEOPLE if self.vocabulary else ()
        return *INPUT_COLUMNS, *schema.further_features(self.further), *people

    def stream(
        self, path: Path, *, start: int = 0, stop: int | None = None, rule: Rule | None = None
    ) -> Iterator[Rows]:
        """Yields the labelled rows `start` … `stop` - 1 of a feature file (by default all) that `rule` chooses.

        Reads the needed columns, one row group at a time. Raises UserError naming the file if a column is missing or
        holds a null.
        """
        wanted = [*self.columns, *schema.TARGETS, *([schema.SPLIT] if rule else [])]
        with FeatureFile(path, PEOPLE) as file:
            if missing := [name for name in wanted if name not in file.names]:
                raise UserError(f"{path}: no column {missing[0]}")
            for group, (begin, end) in enumerate(group_bounds(file.metadata)):
                low, high = max(start, begin), min(end if stop is None else stop, end)
                if low >= high:
                    continue
                table = file.read_row_group(group, columns=wanted).slice(low - begin, high - low)
                try:
                    rows = self.rows(table, labelled=True)
                except ValueError as error:
                    raise UserError(f"{path}: {error}") from error
                yield rows.take(np.flatnonzero(rule(table[schema.SPLIT].to_numpy()))) if rule else rows


def group_bounds(metadata: pq.FileMetaData) -> list[tuple[int, int]]:
    """Returns the first row of each row group of a Parquet file and the one after its last."""
    ends = group_ends(metadata).tolist()
    return list(zip([0, *ends[:-1]], ends, strict=False))


def read_columns(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Reads columns of a Parquet file as arrays. Raises UserError naming the file if one is missing or has nulls."""
    try:
        table = pq.read_table(path, columns=list(names))
        return {name: column_values(table, name) for name in names}
    except (ValueError, KeyError) as error:
        raise UserError(f"{path}: {error}") from error
