"""Parses the texts of a column as integers, booleans or lists of text.

A missing text is a missing value. Arrow accepts more than we allow (such as 0x10), so it is given plain digits only;
other columns are read strictly, one value at a time.
"""

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from engage_pipeline.schema import LIST_SEPARATOR, MAX_TEXT_BYTES

Flags = npt.NDArray[np.bool_]
_STRICT = re.compile("-?[0-9]+", re.ASCII)
_SAFE_DIGITS = 18
"""Any number of at most this many digits fits in 64 bits."""
_INT64 = np.iinfo(np.int64)


def is_utf8(data: bytes) -> bool:
    """Returns whether the bytes are UTF-8."""
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False


def read_integers(texts: pa.StringArray) -> tuple[pa.Int64Array, Flags | None]:
    """Returns the integers, int64 (n,), and which texts are not a 64-bit integer, which become null; None if none."""
    bounds, data = bytes_of(texts)
    digits = data - np.uint8(ord("0"))  # bytes below "0" wrap round, so one comparison finds every non-digit
    odd = np.diff(bounds) > _SAFE_DIGITS
    if digits.max(initial=0) > 9:
        odd[np.searchsorted(bounds, np.flatnonzero(digits > 9), side="right") - 1] = True
    elif not odd.any():
        return texts.cast(pa.int64()), None
    mask = pa.array(odd)
    strict = pa.array([strict_integer(text) for text in texts.filter(mask).to_pylist()], pa.int64())
    numbers = pc.replace_with_mask(pc.if_else(mask, None, texts).cast(pa.int64()), mask, strict)
    return numbers, flags(pc.and_(texts.is_valid(), numbers.is_null()))


def strict_integer(text: str | None) -> int | None:
    """The integer that `text` is; None where it is missing, has another character, or does not fit into 64 bits."""
    # Python refuses to parse thousands of digits; leading zeros don't count.
    if text is None or not _STRICT.fullmatch(text) or len(text.lstrip("-").lstrip("0")) > _SAFE_DIGITS + 1:
        return None
    digits = text.lstrip("-").lstrip("0") or "0"
    number = -int(digits) if text.startswith("-") else int(digits)
    return number if _INT64.min <= number <= _INT64.max else None


def read_booleans(texts: pa.StringArray) -> tuple[pa.BooleanArray, Flags | None]:
    """Returns the booleans, (n,), and which texts are neither `true` nor `false`, which become null; None if none."""
    true = pc.equal(texts, "true")
    bad = pc.invert(pc.or_(true, pc.equal(texts, "false")))
    if not pc.any(bad).as_py():
        return true, None
    return pc.if_else(bad, None, true), flags(pc.fill_null(bad, False))


def read_lists(texts: pa.StringArray) -> pa.ListArray:
    """Splits each text at its tabs: list<string> (n,); empty if the text is missing."""
    if texts.null_count == len(texts):
        return pa.ListArray.from_arrays(np.zeros(len(texts) + 1, dtype=np.int32), pa.array([], pa.string()))
    lists = pc.split_pattern(texts, LIST_SEPARATOR)
    return pa.ListArray.from_arrays(lists.offsets, lists.values)


def too_long(values: pa.StringArray | pa.ListArray) -> Flags:
    """Returns which values are longer than MAX_TEXT_BYTES, or are a list with such a text: bool (n,)."""
    if pa.types.is_string(values.type):
        return flags(pc.fill_null(pc.greater(pc.binary_length(values), MAX_TEXT_BYTES), False))
    long = np.flatnonzero(too_long(values.values))
    found = np.zeros(len(values), dtype=np.bool_)
    found[np.searchsorted(values.offsets.to_numpy(), long, side="right") - 1] = True
    return found


def flags(array: pa.BooleanArray) -> Flags:
    """Converts booleans without nulls to numpy."""
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype=np.bool_)


def bytes_of(texts: pa.StringArray) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Returns the bounds of the texts in their joined bytes, int32 (n + 1,), and these bytes, uint8."""
    _, bounds, data = texts.buffers()
    if not len(texts) or data is None:
        return np.zeros(len(texts) + 1, dtype=np.int32), np.empty(0, dtype=np.uint8)
    places = np.frombuffer(bounds, dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return places - places[0], np.frombuffer(data, dtype=np.uint8)[places[0] : places[-1]]
