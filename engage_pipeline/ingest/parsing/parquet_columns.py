"""The columns of a Parquet part as the texts that the text format would have, and these as its lines.

One reader of lines then serves both formats (typed_rows). What belongs here: which Arrow types a column may have, and
the text of a value. What does not: the file and its rows (parquet_rows), and what a text means (typed_rows).
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from engage_pipeline.ingest.parsing.lines import BLOCK_BYTES, LineBlock, Positions
from engage_pipeline.ingest.parsing.values import SECONDS_A_DAY, Flags, is_utf8
from engage_pipeline.schema import FIELD_SEPARATOR, LIST_SEPARATOR, Kind

Problem = tuple[Flags, str]
"""Which rows have it, bool (n,), and what it is, as the end of a reason."""
_UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_BEYOND_INT64 = 2.0**63
_SEPARATOR = FIELD_SEPARATOR.encode()
_MISSING = {"null_handling": "replace", "null_replacement": b""}
_FORBIDDEN = np.frombuffer(f"\0\r\n{FIELD_SEPARATOR}".encode(), np.uint8)


def accepts(kind: Kind, type_: pa.DataType) -> bool:
    """Returns whether a column of this Arrow type can be read as `kind`."""
    type_ = _decoded(type_)
    if pa.types.is_null(type_) or _is_text(type_):
        return True
    if kind in {Kind.TOKENS, Kind.STRINGS}:
        if not _is_list(type_):
            return False
        item = _decoded(type_.value_type)
        return pa.types.is_null(item) or pa.types.is_integer(item) or (kind is Kind.STRINGS and _is_text(item))
    if kind is Kind.INTEGER:
        time = pa.types.is_timestamp(type_) or pa.types.is_date(type_)
        return time or pa.types.is_integer(type_) or pa.types.is_float64(type_)
    return pa.types.is_integer(type_) or (kind is Kind.BOOLEAN and pa.types.is_boolean(type_))


def texts_of(column: pa.Array, kind: Kind) -> tuple[pa.BinaryArray, list[Problem]]:
    """Returns the texts of a column that `accepts` its kind, (n,), null where the text is empty, and their problems.

    A text with a problem can't be a text of the text format.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    problems: list[Problem] = []
    if _is_list(column.type):
        texts, problems = _joined(column)
    else:
        texts = _scalars(column, kind)
    if _is_text(column.type) or (_is_list(column.type) and _is_text(_decoded(column.type.value_type))):
        problems += _byte_problems(texts)
    empty = pc.equal(pc.binary_length(texts), 0)
    return (pc.if_else(empty, None, texts) if pc.any(empty).as_py() else texts), problems


def line_at(columns: list[pa.BinaryArray], place: int) -> bytes:
    """Returns one row of the texts of all columns as a line, without line end."""
    return _SEPARATOR.join(column[place].as_py() or b"" for column in columns)


def line_blocks(columns: list[pa.BinaryArray], numbers: Positions) -> Iterator[LineBlock]:
    """Yields rows, the texts of all columns (n,) and their numbers (n,), as lines, some BLOCK_BYTES at a time."""
    with_ends = [*columns[:-1], pc.binary_join_element_wise(columns[-1], b"", b"\n", **_MISSING)]
    lengths = sum(pc.binary_length(column).fill_null(0).to_numpy() for column in columns)
    cuts = np.flatnonzero(np.diff(np.cumsum(lengths) // BLOCK_BYTES)) + 1
    for start, stop in pairwise([0, *cuts.tolist(), len(numbers)]):
        if stop > start:
            pieces = [column.slice(start, stop - start) for column in with_ends]
            lines = pc.binary_join_element_wise(*pieces, _SEPARATOR, **_MISSING)
            yield LineBlock(bytes_of(lines)[1].tobytes(), numbers[start:stop])


def not_utf8(texts: pa.BinaryArray) -> Flags | None:
    """Returns which texts are not UTF-8, bool (n,); None if all are."""
    try:
        texts.cast(pa.string())
    except pa.ArrowInvalid:
        return np.array([value is not None and not is_utf8(value) for value in texts.to_pylist()])
    return None


def as_bytes(column: pa.Array) -> pa.BinaryArray:
    """Returns a column of text or bytes as bytes with 32-bit offsets; its UTF-8 is not checked."""
    return column.cast(pa.large_binary() if pa.types.is_large_string(column.type) else pa.binary()).cast(pa.binary())


def _decoded(type_: pa.DataType) -> pa.DataType:
    return type_.value_type if pa.types.is_dictionary(type_) else type_


def _is_text(type_: pa.DataType) -> bool:
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(is_kind(type_) for is_kind in kinds)


def _is_list(type_: pa.DataType) -> bool:
    return pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_)


def _scalars(column: pa.Array, kind: Kind) -> pa.BinaryArray:
    """Returns the texts of single values."""
    type_ = column.type
    if pa.types.is_null(type_):
        return column.cast(pa.binary())
    if _is_text(type_):
        return as_bytes(column)
    if pa.types.is_timestamp(type_):
        column = _floored(column.cast(pa.int64()), _UNITS[type_.unit])
    elif pa.types.is_date(type_):
        column = pc.multiply(column.cast(pa.date32()).cast(pa.int32()).cast(pa.int64()), SECONDS_A_DAY)
    elif pa.types.is_float64(type_):
        return _whole_numbers(column)
    elif kind is Kind.BOOLEAN and pa.types.is_integer(type_):
        truth = pc.if_else(
            pc.equal(column, 1), "true", pc.if_else(pc.equal(column, 0), "false", column.cast(pa.string()))
        )
        return truth.cast(pa.binary())
    return column.cast(pa.string()).cast(pa.binary())


def _floored(values: pa.Int64Array, unit: int) -> pa.Int64Array:
    """Returns values / unit, rounded down."""
    whole = values.fill_null(0).to_numpy() // unit
    return pa.array(whole, mask=values.is_null().to_numpy(zero_copy_only=False))


def _whole_numbers(column: pa.DoubleArray) -> pa.BinaryArray:
    """Returns the texts of numbers: pandas keeps integers of which some are missing as floats, and NaN is missing.

    A number that is not whole keeps its fraction, so that it is rejected.
    """
    column = pc.if_else(pc.is_nan(column), None, column)
    numbers = column.fill_null(0).to_numpy()
    whole = (np.floor(numbers) == numbers) & (np.abs(numbers) < _BEYOND_INT64)
    integers = np.where(whole, numbers, 0).astype(np.int64)
    texts = pa.array(integers).cast(pa.string())
    if not whole.all():
        texts = pc.if_else(pa.array(whole), texts, pa.array([repr(float(number)) for number in numbers]))
    return pc.if_else(column.is_valid(), texts, None).cast(pa.binary())


def _joined(column: pa.Array) -> tuple[pa.BinaryArray, list[Problem]]:
    """Returns the items of each list as one text, and which lists hold an item that a text can't."""
    lengths = pc.list_value_length(column).fill_null(0).to_numpy()
    items = column.flatten()
    if pa.types.is_dictionary(items.type):
        items = items.dictionary_decode()
    text = _is_text(items.type)
    texts = as_bytes(items) if text else items.cast(pa.string()).cast(pa.binary())
    problems = []
    if texts.null_count:
        missing = flags(texts.is_null())
        problems.append((_lists_with(missing, lengths), "a list with a missing item"))
        texts = texts.fill_null(b"")
    if text and (tabs := flags(pc.match_substring(texts, LIST_SEPARATOR))).any():
        problems.append((_lists_with(tabs, lengths), "a list with a text that has a tab"))
    offsets = np.append(0, np.cumsum(lengths)).astype(np.int32)
    lists = pa.ListArray.from_arrays(offsets, texts)
    return pc.binary_join(lists, LIST_SEPARATOR.encode()), problems


def _lists_with(items: Flags, lengths: np.ndarray) -> Flags:
    """Returns which lists, of these lengths, hold an item that is flagged."""
    found = np.zeros(len(lengths), np.bool_)
    found[np.repeat(np.arange(len(lengths)), lengths)[items]] = True
    return found


def _byte_problems(texts: pa.BinaryArray) -> list[Problem]:
    bounds, data = bytes_of(texts)
    problems: list[Problem] = []
    low = np.flatnonzero(data <= _FORBIDDEN.max())
    if len(low) and len(forbidden := low[np.isin(data[low], _FORBIDDEN)]):
        found = np.zeros(len(texts), np.bool_)
        found[np.searchsorted(bounds, forbidden, side="right") - 1] = True
        problems.append((found, "a text with a line break, a NUL or a byte 1"))
    if (bad := not_utf8(texts)) is not None:
        problems.append((bad, "invalid UTF-8"))
    return problems


def flags(array: pa.BooleanArray) -> Flags:
    """Converts booleans without nulls to numpy."""
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype=np.bool_)


def bytes_of(texts: pa.BinaryArray) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Returns the bounds of the texts in their joined bytes, int32 (n + 1,), and these bytes, uint8."""
    _, bounds, data = texts.buffers()
    if not len(texts) or data is None:
        return np.zeros(len(texts) + 1, dtype=np.int32), np.empty(0, dtype=np.uint8)
    places = np.frombuffer(bounds, dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return places - places[0], np.frombuffer(data, dtype=np.uint8)[places[0] : places[-1]]
