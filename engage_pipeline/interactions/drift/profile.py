"""The profile of feature rows: the number of rows in each bin of each feature.

Bins are the same for every part, so that profiles can be added and compared without the rows. The bins of numbers are
0, negative numbers, and half octaves (1, 1.41, 2, 2.83, 4, …); those of flags, hours and languages are the values.
A profile is one Parquet file: feature, bin (the least number of the bin, or the value; strings), rows (int64).
What does not belong here: the meaning of a difference between profiles (stability).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from duckdb import ColumnExpression, ConstantExpression
from numpy.typing import NDArray

from engage_pipeline.engines.duckdb import DuckDBEngine
from engage_pipeline.engines.engine import statement
from engage_pipeline.schema import (
    BINARY_FEATURES,
    EXPOSURE_FEATURES,
    LINE_NUMBER,
    NUMBERS,
    further_counters_in,
    further_features,
)
from engage_pipeline.settings.settings import Settings

Profile = Mapping[str, Mapping[str, int]]
"""Rows by bin, by feature."""

SAMPLE_ROWS = 32_768
"""Largest number of rows binned for numbers, flags and hours, evenly spread. Languages are counted over all rows."""
LANGUAGE, HOUR = "language", "hour"
MISSING, OTHERS = "(missing)", "(others)"
MOST_VALUES = 1000
_BINNED = (*NUMBERS, *EXPOSURE_FEATURES)
_SAMPLED = (*_BINNED, *BINARY_FEATURES, HOUR)
_SCHEMA = pa.schema([("feature", pa.string()), ("bin", pa.string()), ("rows", pa.int64())])
_LEAST, _GREATEST = -20, 80
"""Half octaves from 2^-10 to 2^40; smaller and larger numbers fall into the first and the last."""
_ZERO, _NEGATIVE = _GREATEST + 1, _GREATEST + 2


def write_profile(features: Path, output: Path, settings: Settings) -> None:
    """Writes the profile of the rows in the Parquet file `features` (schema.feature_schema) to the file `output`."""
    sampled, languages = _read(features, settings)
    _write({**binned(sampled), LANGUAGE: _commonest(languages)}, output)


def write_summary(profiles: Iterable[Path], features: Collection[str], output: Path) -> None:
    """Writes the sum of several profiles, with the chosen `features` only, to the file `output`."""
    total = added([read_profile(path) for path in profiles])
    _write({name: dict(sorted(bins.items())) for name, bins in sorted(total.items()) if name in features}, output)


def binned(values: Mapping[str, NDArray[Any]]) -> Profile:
    """Returns the profile of columns, by name: numbers in half octaves, flags and hours by value."""
    counts: dict[str, Mapping[str, int]] = {}
    for name, column in values.items():
        if name in BINARY_FEATURES:
            true = int(np.count_nonzero(column))
            counts[name] = {"false": len(column) - true, "true": true}
        elif name == HOUR:
            counts[name] = {str(hour): rows for hour, rows in enumerate(np.bincount(column).tolist())}
        else:
            counts[name] = _number_bins(column)
    return counts


def _write(profile: Profile, output: Path) -> None:
    cells = [(feature, name, rows) for feature, bins in profile.items() for name, rows in bins.items() if rows]
    records = [dict(zip(_SCHEMA.names, cell, strict=True)) for cell in cells]
    pq.write_table(pa.Table.from_pylist(records, schema=_SCHEMA), output, compression="zstd")


def read_profile(path: Path) -> Profile:
    """Reads a profile that `write_profile` wrote."""
    table = pq.read_table(path)
    profile: dict[str, dict[str, int]] = {}
    for feature, name, rows in zip(*(table[column].to_pylist() for column in table.column_names), strict=True):
        profile.setdefault(feature, {})[name] = rows
    return profile


def added(profiles: Iterator[Profile] | list[Profile]) -> Profile:
    """Returns the sum of several profiles."""
    total: dict[str, Counter[str]] = {}
    for profile in profiles:
        for feature, bins in profile.items():
            total.setdefault(feature, Counter()).update(bins)
    return total


def _read(features: Path, settings: Settings) -> tuple[dict[str, NDArray[Any]], dict[str | None, int]]:
    """Reads the columns of at most SAMPLE_ROWS rows, evenly spread, and counts the rows of each language."""
    with DuckDBEngine(settings, readable=[features.parent]) as engine:
        engine.read("features", [features])
        rows = engine.connection.table("features")
        step = max(1, -(-rows.count("*").fetchall()[0][0] // SAMPLE_ROWS))
        chosen = rows.filter(ColumnExpression(LINE_NUMBER) % ConstantExpression(step) == ConstantExpression(0))
        further = further_features(further_counters_in(rows.columns))
        sampled = chosen.select(*map(ColumnExpression, (*_SAMPLED, *further))).fetchnumpy()
        return sampled, dict(engine.connection.execute(statement("interactions/language_rows.sql")).fetchall())


def _number_bins(values: NDArray[np.generic]) -> dict[str, int]:
    """Returns rows by bin; the mantissa decides the half of the octave."""
    mantissa, exponent = np.frexp(values.astype(np.float32))
    half_octave = 2 * (exponent - 1) + (mantissa >= np.sqrt(np.float32(0.5)))
    codes = np.clip(half_octave, _LEAST, _GREATEST)
    codes[values == 0] = _ZERO
    codes[mantissa < 0] = _NEGATIVE
    rows = np.bincount(codes - _LEAST)
    return {_bin_name(place + _LEAST): int(rows[place]) for place in np.flatnonzero(rows).tolist()}


def _bin_name(code: int) -> str:
    return {_ZERO: "0", _NEGATIVE: "<0"}.get(code) or f"{2 ** (code / 2):.6g}"


def _commonest(languages: Mapping[str | None, int]) -> dict[str, int]:
    ordered = sorted(languages.items(), key=lambda item: (-item[1], item[0] or ""))
    kept = {MISSING if name is None else name: rows for name, rows in ordered[:MOST_VALUES]}
    if rest := sum(rows for _, rows in ordered[MOST_VALUES:]):
        kept[OTHERS] = rest
    return kept
