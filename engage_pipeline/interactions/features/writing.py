"""Writes the rows that a model reads: tweets with the counts of both windows, similar authors and their own profile.

The engine looks up the counts of each family (family_counts, *.sql) for as many rows at once as memory allows: several
parts together, because a look-up reads all counters of the window, or a piece of a large part (pieces). The counts are
joined in memory, column by column, and written in order (counter_columns, rows). The reasons are in
docs/adr/0011-features-side-by-side.md.
"""

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from pathlib import Path
from typing import Unpack

import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.engines.opening import open_engine
from engage_pipeline.files import atomic
from engage_pipeline.interactions.counters.family_counts import FAMILIES, Counts, Kind, look_up
from engage_pipeline.interactions.features.counter_columns import CounterColumns
from engage_pipeline.interactions.features.pieces import Piece, Sizes, cut, groups, side_by_side
from engage_pipeline.interactions.features.rows import Write, feature_file, write_rows
from engage_pipeline.machine.shares import shared_limit
from engage_pipeline.machine.spill import PIECES_PREFIX, spill_folder
from engage_pipeline.progress import Progress, progress
from engage_pipeline.schema import ENGAGEMENT_DAY, LINE_NUMBER, feature_schema, further_counters, further_features
from engage_pipeline.settings.settings import Settings


@dataclass(frozen=True)
class Written:
    """A part with written features: its rows, and the seconds they took, including its share of joint work."""

    rows: int
    seconds: float


def write_features(tweets: Path, output: Path, *, kind: Kind, settings: Settings, **counts: Unpack[Counts]) -> int:
    """Writes schema.feature_schema of the rows in the Parquet file `tweets` to the Parquet file `output`.

    `tweets` holds schema.tweet_schema, for validation rows also SPLIT; its line numbers must be distinct. The output is
    ordered by engagement day and line, for test rows by line only. Returns the number of rows.
    """
    (written,) = write_features_of_parts([(tweets, output)], kind=kind, settings=settings, **counts)
    return written.rows


def write_features_of_parts(
    parts: Sequence[tuple[Path, Path]], *, kind: Kind, settings: Settings, **counts: Unpack[Counts]
) -> Generator[Written]:
    """Does the same as write_features for each pair of `tweets` and `output`; yields figures of each complete output.

    The counters are read once for as many parts as engine.memory_limit allows.
    """
    families = settings.features.counters
    schema = feature_schema(labelled=kind != "test", validation=kind == "validation", families=families)
    rows = sum(pq.read_metadata(tweets).num_rows for tweets, _ in parts)
    with (
        atomic.scratch_folder(spill_folder(settings), PIECES_PREFIX) as folder,
        progress(f"{kind}_features", rows, "rows") as done,
    ):
        join = _Join(kind, counts, schema, _with_half_of_the_memory(settings), folder, done)
        pieces = join.counted_pieces([tweets for tweets, _ in parts], Sizes.within(settings))
        for part, found in groupby(pieces, key=lambda counted: counted.piece.part):
            with feature_file(parts[part][1], schema, aside=settings.engine.threads != 1) as write:
                written = [join.write(write, counted) for counted in found]
            yield Written(sum(each.rows for each in written), sum(each.seconds for each in written))


def _with_half_of_the_memory(settings: Settings) -> Settings:
    """Returns settings for the engine, with half of the memory; Sizes uses the other half."""
    limit = shared_limit(settings.engine.memory_limit, 2)
    return settings.model_copy(update={"engine": settings.engine.model_copy(update={"memory_limit": limit})})


@dataclass(frozen=True)
class _Counted:
    """A piece with its counters, which begin at row `start`. Looking them up took `seconds`."""

    piece: Piece
    counters: CounterColumns
    start: int
    seconds: float


@dataclass(frozen=True)
class _Join:
    """Joins rows of one kind with their counters, with engines of `settings`; `folder` holds pieces of parts."""

    kind: Kind
    counts: Counts
    schema: pa.Schema
    settings: Settings
    folder: Path
    done: Progress

    def counted_pieces(self, parts: Sequence[Path], sizes: Sizes) -> Iterator[_Counted]:
        """Yields the pieces of all parts, in order, with their counters; looks up as many at once as memory allows."""
        for group in groups(self._cut(parts, sizes.piece), sizes.at_once):
            yield from self._look_up(group)

    def write(self, write: Write, counted: _Counted) -> Written:
        """Writes the rows of a piece and removes its file, unless the file is the part itself."""
        started = time.monotonic()
        piece = counted.piece
        counters = counted.counters.of_rows(counted.start, piece.rows)
        write_rows(write, self.schema, self._read_profiles(piece), piece.places, counters)
        if piece.tweets.parent == self.folder:
            piece.tweets.unlink()
        self.done.advance(piece.rows)
        return Written(piece.rows, counted.seconds + time.monotonic() - started)

    def _cut(self, parts: Sequence[Path], rows: int) -> Iterator[Piece]:
        order = [LINE_NUMBER] if self.kind == "test" else [ENGAGEMENT_DAY, LINE_NUMBER]
        for part, tweets in enumerate(parts):
            yield from cut(tweets, part, order, rows, self.folder)

    def _look_up(self, group: Sequence[Piece]) -> Iterator[_Counted]:
        """Yields each piece with its counters, looked up for all pieces at once."""
        started = time.monotonic()
        firsts, places = side_by_side(group)
        rows = sum(piece.rows for piece in group)
        families = frozenset(self.settings.features.families)
        further = further_counters(families)
        counters = CounterColumns(places, rows, further_features(further))
        paths = [piece.tweets for piece in group]
        counts = self.counts
        folders = [counts["training_counts"], counts["similarity"].parent, counts["validation_counts"]]
        with (
            open_engine(self.settings, readable=[*{path.parent for path in paths}, *folders]) as engine,
            progress(f"{self.kind}_counters", FAMILIES + len(further), "families") as done,
        ):
            engine.read_apart("source", paths, firsts)
            engine.view("tweets", self._kind_of_rows)
            for family, found in look_up(engine, counts, self.kind, families):
                counters.put(family, found)
                done.advance(1, family)
        a_row = (time.monotonic() - started) / max(rows, 1)
        starts = accumulate((piece.rows for piece in group), initial=0)
        for piece, start in zip(group, starts, strict=False):
            yield _Counted(piece, counters, start, piece.rows * a_row)
        counters.clear()

    def _read_profiles(self, piece: Piece) -> pa.Table:
        """Returns the profile of each row of the piece, in any order."""
        with open_engine(self.settings, readable=[piece.tweets.parent]) as engine:
            engine.read("source", [piece.tweets])
            engine.view("tweets", self._kind_of_rows)
            return engine.fetch("interactions/profiles.sql")

    @property
    def _kind_of_rows(self) -> str:
        return f"interactions/kinds/{self.kind}.sql"
