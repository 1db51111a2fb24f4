"""Texts as numbers: the index of each among the texts that a model knows."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Texts: TypeAlias = pa.Array | pa.ChunkedArray | list[str | None]
"""A list has few texts."""
_FEW = 8
"""Up to this many texts are looked up one by one: Arrow hashes all known texts in each call."""


def category_numbers(texts: Texts, known: Sequence[str]) -> npt.NDArray[np.int32]:
    """Returns the index of each text in `known`, int32 [n]; len(known) for unknown texts and nulls."""
    if isinstance(texts, list) or len(texts) <= _FEW:
        places = _places(tuple(known))
        few = texts if isinstance(texts, list) else texts.to_pylist()
        return np.array([places.get(text, len(known)) for text in few], np.int32)
    found = pc.index_in(texts.cast(pa.string()), value_set=pa.array(known, pa.string()), skip_nulls=True)
    return np.asarray(pc.fill_null(found, len(known)), np.int32)


def category_column(texts: Texts, known: Sequence[str]) -> npt.NDArray[np.float32]:
    """Returns the index of each text in `known`, float32 [n], as the trees read it; NaN for unknown texts and nulls."""
    numbers = category_numbers(texts, known)
    return np.where(numbers < len(known), numbers, np.float32(np.nan))


@lru_cache(maxsize=8)
def _places(known: tuple[str, ...]) -> dict[str | None, int]:
    return {text: place for place, text in enumerate(known)}
