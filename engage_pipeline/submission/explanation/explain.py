"""Explains the prediction of one line of a raw part, with the published model and counters.

    explained = explain(Path("test/part-00000"), 17, settings)

The line is predicted alone, in the same way as by `predict`: the features of a row depend on the published counters,
not on other rows of its part, so its probabilities equal those in results.csv. Only if the model reads counts inside
the scored file, a row explained alone lacks them, and its probabilities differ. What does not belong here: splitting a
logit into contributions (model.explanation.row), and formatting them (as_text, as_json).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.files.atomic import scratch_folder
from engage_pipeline.files.raw_parts import find_part
from engage_pipeline.ingest.parsing.line_rules import byte_problem
from engage_pipeline.ingest.parsing.part_rows import count_rows, row_line
from engage_pipeline.ingest.part_ingest import ingest_part
from engage_pipeline.ingest.rejects import read_rejects
from engage_pipeline.interactions.features.joining import RowJoin
from engage_pipeline.interactions.features.scored_file import without_file
from engage_pipeline.interactions.features.windows import Windows
from engage_pipeline.locations.location import Location
from engage_pipeline.machine.spill import EXPLAIN_PREFIX
from engage_pipeline.machine.threads import limited_threads
from engage_pipeline.model.explanation.row import RowExplanation, explain_row
from engage_pipeline.numerics.token_bytes import with_token_lists
from engage_pipeline.plurals import counted
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.file_names import REJECTS, TWEETS
from engage_pipeline.store.mirror.following import open_store
from engage_pipeline.submission.explanation.words import with_missing
from engage_pipeline.submission.published import open_published

_SEPARATOR = schema.FIELD_SEPARATOR.encode()


@dataclass(frozen=True)
class ExplainedRow:
    """A line of a part and the explanation of its prediction.

    `tweet`: the raw columns as typed values. `labels`: which engagements happened (None = the part has no labels).
    `features`: the model's inputs, by column of schema.feature_schema; SCORED_FILE_FEATURES, if the model reads them,
    are None. `tweet` and `features` have token ids as a list.
    `model_version`: that of trained_model.
    """

    part: Location
    row: int
    tweet: dict[str, Any]
    labels: dict[str, bool] | None
    features: dict[str, Any]
    explanation: RowExplanation
    model_version: str

    @property
    def known_features(self) -> Mapping[str, Any]:
        """The features, but None where the raw value is missing: the models read 0 or false there."""
        return with_missing(self.features, self.tweet)


def explain(
    part: Location, row: int, settings: Settings, *, threads: int | None = None, allow_mixed: bool = False
) -> ExplainedRow:
    """Explains the line number `row` (from 0) of `part`, a test part or a labelled one, whose labels are not used.

    `threads` limits every library; None = engine.threads. `allow_mixed` as in `predict`. Raises UserError: no such part
    or line, a line that is blank or would be rejected, and the errors of `predict` about model and counters.
    """
    part = find_part(part, follow_links=settings.follow_links)
    line = read_line(part, row, settings)
    threads = threads or settings.engine.threads
    settings = settings.model_copy(update={"engine": settings.engine.model_copy(update={"threads": threads})})
    where = f"{part}: row {row}"
    with limited_threads(threads), scratch_folder(settings.working_dir, EXPLAIN_PREFIX) as folder:
        tweets, labels = _read_tweet(line, where, folder, settings)
        published = open_published(open_store(settings), threads, allow_mixed=allow_mixed)
        join = RowJoin("test", Windows.of(settings, published.counts))
        features = _numbered(join.table(pq.read_table(tweets)), row)
        if published.model.reads_scored_file:
            features = without_file(features)
        explanation = explain_row(published.model, features)
        tweet = with_token_lists(pq.read_table(tweets)).select(schema.COLUMN_NAMES[: schema.N_TEST_COLUMNS])
    values, numbers = tweet.to_pylist()[0], with_token_lists(features).to_pylist()[0]
    return ExplainedRow(part, row, values, labels, numbers, explanation, published.version)


def read_line(part: Location, row: int, settings: Settings) -> bytes:
    """Returns the line number `row` (from 0) of `part` as bytes, or that row of a Parquet part; reads no further.

    Raises UserError if the part has no such line, with the number of its lines, or if the line is blank.
    """
    line = row_line(part, row, settings) if row >= 0 else None
    if line is None:
        lines = count_rows(part)
        raise UserError(f"{part}: no row {row}: it has {counted(lines, 'line')}, rows 0 to {lines - 1:,}")
    if not line:
        raise UserError(f"{part}: row {row} is a blank line")
    return line


def _read_tweet(line: bytes, where: str, folder: Path, settings: Settings) -> tuple[Path, dict[str, bool] | None]:
    """Writes the typed tweet of a raw line, without labels, to a Parquet file; returns it and the labels, if any."""
    fields = line.split(_SEPARATOR)
    labels = None
    if len(fields) == len(schema.COLUMNS):
        tweets = _ingest(line, where, folder, settings, labelled=True)
        columns = [schema.engagement_timestamp(target) for target in schema.TARGETS]
        times = pq.read_table(tweets, columns=columns).to_pylist()[0]
        labels = {target: times[schema.engagement_timestamp(target)] is not None for target in schema.TARGETS}
        fields = fields[: schema.N_TEST_COLUMNS]
    elif len(fields) != schema.N_TEST_COLUMNS:
        reason = byte_problem(line) or f"columns: {len(fields)} instead of {schema.N_TEST_COLUMNS}"
        raise UserError(f"{where} is rejected: {reason}")
    return _ingest(_SEPARATOR.join(fields), where, folder, settings, labelled=False), labels


def _ingest(line: bytes, where: str, folder: Path, settings: Settings, *, labelled: bool) -> Path:
    source, tweets, rejects = (folder / name for name in ("line", TWEETS, REJECTS))
    source.write_bytes(line + b"\n")
    lenient = settings.model_copy(update={"ingest": settings.ingest.model_copy(update={"max_rejected_share": 1.0})})
    try:  # with a share of 1, the error is the line's own reason
        ingest_part(source, tweets=tweets, rejects=rejects, settings=lenient, labelled=labelled, order="line")
    except UserError as error:
        found = next(read_rejects(rejects), None) if rejects.is_file() else None
        reason = found.reason if found else str(error).removeprefix(f"{source}: ")
        raise UserError(f"{where} is rejected: {reason}") from error
    return tweets


def _numbered(features: pa.Table, row: int) -> pa.Table:
    """Returns `features` of one row with its line number `row`."""
    place = features.schema.get_field_index(schema.LINE_NUMBER)
    return features.set_column(place, features.schema.field(place), pa.array([row], pa.int64()))
