"""The file of token codes, and reading it into one array. Light: no torch."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.errors import UserError
from engage_pipeline.schema import VOCABULARY_SIZE

CODES = "codes.parquet"
NO_CODE = -1


def code_schema(depth: int) -> pa.Schema:
    """Returns the schema of codes.parquet: one row for each token with a code, ordered by token."""
    return pa.schema([pa.field("token", pa.int32()), pa.field("codes", pa.list_(pa.int32(), depth))])


def load_codes(path: Path) -> npt.NDArray[np.int32]:
    """Reads codes.parquet as int32 [VOCABULARY_SIZE, depth]; rows of tokens without a code hold NO_CODE.

    Raises UserError: not a file of codes, or a token outside the vocabulary.
    """
    try:
        table = pq.read_table(path)
        column = table["codes"].combine_chunks()
        tokens = table["token"].to_numpy()
    except (OSError, KeyError, pa.ArrowException) as error:
        raise UserError(f"{path}: not a file of token codes") from error
    if len(tokens) and not 0 <= tokens.min() <= tokens.max() < VOCABULARY_SIZE:
        raise UserError(f"{path}: holds tokens outside the vocabulary of {VOCABULARY_SIZE}")
    codes = np.full((VOCABULARY_SIZE, column.type.list_size), NO_CODE, dtype=np.int32)
    codes[tokens] = column.flatten().to_numpy().reshape(len(tokens), column.type.list_size)
    return codes
