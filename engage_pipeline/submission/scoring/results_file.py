"""Reads a results.csv of any program, and reports the first wrong line.

pyarrow reads the whole file. If that fails, or if a value is not a probability, the file is read again line by line to
find the wrong line and the reason. What does not belong here: which labelled row a line belongs to (matching).
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc_csv
from numpy.typing import NDArray

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.locations.location import Location
from engage_pipeline.metrics import first_improbable
from engage_pipeline.plurals import counted

ID_COLUMNS = ("tweet_id", "engaging_user_id")
RESULT_COLUMNS = (*ID_COLUMNS, *schema.SUBMISSION_ENGAGEMENTS)
"""The columns of results.csv, which has no header."""
_LONGEST_LINE = 1 << 20
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(nan(\(.*\))?|inf(inity)?)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Predictions:
    """The lines of a results.csv: ids (columns named ID_COLUMNS), probabilities float64 [n, 4] in TARGETS order."""

    path: Location
    ids: pa.Table
    probabilities: NDArray[np.float64]


def read_predictions(path: Location) -> Predictions:
    """Reads the predictions of `path`. Raises UserError naming the file, the wrong line (from 1) and the reason."""
    try:
        table = _read_whole(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    except pa.ArrowException as error:
        raise UserError(_problem(path) or f"{path}: {' '.join(str(error).split())[:200]}") from error
    probabilities = np.column_stack([table[name].to_numpy() for name in schema.TARGETS])
    if (wrong := first_improbable(probabilities)) is not None:
        row, column = wrong
        reason = _not_a_probability(schema.TARGETS[column], str(probabilities[row, column]))
        raise UserError(_problem(path) or _at(path, row + 1, reason))
    return Predictions(path, table.select(ID_COLUMNS), probabilities)


def _read_whole(path: Location) -> pa.Table:
    ids = dict.fromkeys(ID_COLUMNS, pa.large_string())
    numbers = dict.fromkeys(schema.SUBMISSION_ENGAGEMENTS, pa.float64())
    # An open file, because pyarrow would unpack what is named like a compressed file; not read_csv, which sets a signal
    # handler of its own, so that Ctrl-C would be lost.
    with path.open("rb") as file:
        return pc_csv.open_csv(
            file,
            read_options=pc_csv.ReadOptions(column_names=RESULT_COLUMNS, block_size=_LONGEST_LINE),
            parse_options=pc_csv.ParseOptions(quote_char=False, escape_char=False, ignore_empty_lines=False),
            convert_options=pc_csv.ConvertOptions(
                column_types=ids | numbers, null_values=[], strings_can_be_null=False, quoted_strings_can_be_null=False
            ),
        ).read_all()


def _problem(path: Location) -> str | None:
    """Returns the first wrong line and what is wrong with it, as a message; None if no line is."""
    number = 0
    for number, line in enumerate(_lines(path), start=1):
        if reason := _line_problem(line):
            return _at(path, number, reason)
    return f"{path}: empty file" if number == 0 else None


def _lines(path: Location) -> Iterator[str]:
    with io.TextIOWrapper(path.open("rb"), encoding="utf-8-sig", errors="surrogateescape") as file:
        while line := file.readline(_LONGEST_LINE):
            yield line


def _line_problem(line: str) -> str | None:
    if len(line) == _LONGEST_LINE:
        return f"longer than {_LONGEST_LINE:,} characters"
    if not line.isascii() and any("\udc80" <= letter <= "\udcff" for letter in line):
        return "not UTF-8 text"
    fields = line.rstrip("\n").split(",")
    if fields == [""]:
        return "empty line"
    if len(fields) != len(RESULT_COLUMNS):
        return f"{counted(len(fields), 'field')} instead of {len(RESULT_COLUMNS)}"
    values = zip(schema.SUBMISSION_ENGAGEMENTS, fields[len(ID_COLUMNS) :], strict=True)
    return next((reason for name, text in values if (reason := _value_problem(name, text))), None)


def _value_problem(name: str, text: str) -> str | None:
    stripped = text.strip(" \t")
    if _NOT_FINITE.fullmatch(stripped):
        return _not_a_probability(name, stripped[:40])
    if not _NUMBER.fullmatch(stripped):
        return f"{name}: {text[:40]!r} is not a number"
    return None if 0 <= float(stripped) <= 1 else _not_a_probability(name, stripped[:40])


def _not_a_probability(name: str, text: str) -> str:
    return f"{name}: {text} is not a probability in [0, 1]"


def _at(path: Location, line: int, reason: str) -> str:
    return f"{path}, line {line}: {reason}"
