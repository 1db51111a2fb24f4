"""Reads a synthetic folder back, plainly and slowly, line by line."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline import schema

ROWS, USERS, PARTS, SEED = 20_000, 3_000, 3, 7
TRAINING_START = int(datetime(2021, 2, 4, tzinfo=UTC).timestamp())
TRAINING_END = int(datetime(2021, 2, 25, tzinfo=UTC).timestamp())
EVALUATION_END = int(datetime(2021, 3, 4, tzinfo=UTC).timestamp())
HASHED = re.compile(r"[0-9A-F]{32}")
WHOLE = re.compile(r"0|[1-9][0-9]*")
AUTHOR, VIEWER = "engaged_with_user_id", "engaging_user_id"

Row = dict[str, Any]
READERS: dict[schema.Kind, Callable[[str], Any]] = {
    schema.Kind.TOKENS: lambda text: [_whole(token) for token in text.split("\t")] if text else [],
    schema.Kind.STRINGS: lambda text: text.split("\t") if text else [],
    schema.Kind.STRING: lambda text: text or None,
    schema.Kind.INTEGER: lambda text: _whole(text) if text else None,
    schema.Kind.BOOLEAN: lambda text: {"true": True, "false": False, "": None}[text],
}


def _whole(text: str) -> int:
    assert WHOLE.fullmatch(text), text
    return int(text)


def read_part(path: Path, *, labelled: bool) -> list[Row]:
    """Plain, slow and strict: every line has all of its columns, and every value its type."""
    text = path.read_bytes().decode()
    assert text.endswith("\n")
    columns = schema.COLUMNS if labelled else schema.COLUMNS[: schema.N_TEST_COLUMNS]
    rows = []
    for line in text[:-1].split("\n"):
        values = line.split("\x01")
        rows.append({c.name: READERS[c.kind](value) for c, value in zip(columns, values, strict=True)})
    return rows


@dataclass(frozen=True)
class Made:
    """A synthetic folder, read back."""

    folder: Path
    parts: list[list[Row]]
    validation: list[Row]
    test: list[Row]
    test_labels: pa.Table
    validation_oracle: pa.Table
    test_oracle: pa.Table

    @property
    def train(self) -> list[Row]:
        return [row for part in self.parts for row in part]

    @property
    def all_rows(self) -> list[Row]:
        return [*self.train, *self.validation, *self.test]


def engaged(rows: list[Row], target: str) -> np.ndarray:
    return np.array([row[schema.engagement_timestamp(target)] is not None for row in rows])


def average_precision(labels: np.ndarray, scores: np.ndarray | list[float]) -> float:
    """Mean over the positives of the precision at their rank; equal scores rank in the order of the rows."""
    ranked = labels[np.argsort(-np.asarray(scores), kind="stable")]
    return float((np.cumsum(ranked) / np.arange(1, ranked.size + 1))[ranked].mean())


def share(rows: list[Row], holds: Callable[[Row], bool]) -> float:
    return sum(holds(row) for row in rows) / len(rows)


def labels_and_odds(made: Made, target: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels and true probabilities of all validation and test rows."""
    labels = np.concatenate([engaged(made.validation, target), made.test_labels[target].to_numpy()])
    odds = np.concatenate([table[target].to_numpy() for table in (made.validation_oracle, made.test_oracle)])
    return labels, odds


def read_back(folder: Path) -> Made:
    return Made(
        folder,
        [read_part(path, labelled=True) for path in sorted((folder / "train").iterdir())],
        read_part(folder / "validation" / "part-00000", labelled=True),
        read_part(folder / "test" / "part-00000", labelled=False),
        pq.read_table(folder / "test_labels.parquet"),
        pq.read_table(folder / "validation_oracle.parquet"),
        pq.read_table(folder / "test_oracle.parquet"),
    )
