"""Counts what the model never saw before the test rows: authors, viewers, languages and tokens.

What does not belong here: values unknown to the challenge (ingest), and drift (orchestration.checks).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from engage_pipeline.files.parquet import batches
from engage_pipeline.interactions.features.rows import FeatureFile
from engage_pipeline.language.codes import NO_CODE, load_codes
from engage_pipeline.numerics.token_bytes import tokens_of
from engage_pipeline.schema import TOKEN_COLUMNS

BATCH_ROWS = 65_536
EXPOSURES = {key: (f"{key}_exposures", f"valid_{key}_exposures") for key in ("author", "viewer")}
"""The columns with the exposures of a key, one per window."""


def count_unknown(features: Sequence[Path], languages: Sequence[str], codes: Path) -> dict[str, int]:
    """Counts unknown things in the rows of `features` (schema.feature_schema).

    Returns new_author_rows and new_viewer_rows (without exposures in labelled rows), unknown_language_rows (the
    network's are `languages`), tokens (sketched ones) and unknown_tokens (those without a code). `codes` is the file of
    the model's token codes. The first and last token of a tweet are never sketched, and none is without any code.
    """
    known = pa.array(languages, pa.string())
    has_code = load_codes(codes)[:, 0] != NO_CODE
    sketches = has_code.any()
    counts = dict.fromkeys(
        ("new_author_rows", "new_viewer_rows", "unknown_language_rows", "tokens", "unknown_tokens"), 0
    )
    columns = ["language", *TOKEN_COLUMNS, *(name for names in EXPOSURES.values() for name in names)]
    for path in features:
        with FeatureFile(path) as file:
            for table in batches(file, BATCH_ROWS, columns):
                for key, names in EXPOSURES.items():
                    shown = sum(table[name].to_numpy() for name in names)
                    counts[f"new_{key}_rows"] += int((shown == 0).sum())
                counts["unknown_language_rows"] += table.num_rows - pc.sum(pc.is_in(table["language"], known)).as_py()
                tokens = _sketched(table)[: None if sketches else 0]
                counts["tokens"] += len(tokens)
                counts["unknown_tokens"] += int((~has_code[tokens]).sum())
    return counts


def _sketched(table: pa.Table) -> npt.NDArray[np.int32]:
    """Returns all tokens except the first and last of each row."""
    offsets, tokens = tokens_of(table)
    starts, ends = offsets[:-1], offsets[1:]
    inner = np.ones(len(tokens), bool)
    inner[starts[ends > starts]] = False
    inner[ends[ends > starts] - 1] = False
    return tokens[inner]
