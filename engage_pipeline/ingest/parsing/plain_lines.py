"""Loops over the bytes of lines that find columns and read plain values, compiled by numba.

A value is plain if it is written as the challenge writes it. Rows with another value are flagged, and their lines are
read one by one (typed_rows), so that no loop need know why a line is wrong. Eight bytes are looked at together, as one
64-bit word, and where separators are is found for all bytes at once, a bit each. What does not belong here: room for
what is read, and Arrow's arrays of it (plain_rows).

`words` uint64 (bytes,) are the 8 bytes from each byte of the lines on. Of n rows `ends`, int32 (n, columns + 1), has in
column c + 1 the place of the byte behind column c, and in column 0 that of the byte in front of the line. Bounds begin
with 0: row i has what lies between bounds i and i + 1. `odd`, bool (n,), is set for rows that are not plain.
"""

import numpy as np
import numpy.typing as npt

from engage_pipeline.ingest.parsing.line_rules import MAX_LINE_BYTES, NO_LABELS
from engage_pipeline.ingest.parsing.values import SAFE_DIGITS
from engage_pipeline.numerics.compilation import compiled, compiled_within, trailing_zeros
from engage_pipeline.schema import MAX_TEXT_BYTES, VOCABULARY_SIZE

PADDING = 8
"""As many bytes more than those of the lines are read, or written to texts."""
_NEWLINE = 10
# All of one type: numba makes floats of signed and unsigned numbers.
_0, _1, _3, _8, _16, _32, _63, _64 = (np.uint64(number) for number in (0, 1, 3, 8, 16, 32, 63, 64))
_TENS, _TOPS = (np.uint64(0x0101010101010101 * byte) for byte in (0x10, 0x80))
_NOUGHTS, _BEYOND_NINE = (np.uint64(0x0101010101010101 * byte) for byte in (0x30, 0x80 - 10))
_PAIRS, _FOURS, _EIGHTS = (np.uint64(factor) for factor in (1 + (10 << 8), 1 + (100 << 16), 1 + (10_000 << 32)))
_BYTES_APART, _HALVES_APART = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)
_BYTE, _TAB, _MINUS = (np.uint64(byte) for byte in (0xFF, 9, 45))
_TRUE, _FALSE = (np.uint64(int.from_bytes(word, "little")) for word in (b"true", b"false"))
_LOW_BITS = 0xFFFF
_POWERS = 10 ** np.arange(9)
_SPARE = len(NO_LABELS)
_compiled, _inner = compiled(error_model="numpy"), compiled_within(error_model="numpy")


def marks_of(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint64]:
    """Returns the flags of bytes as bits, 64 a word, the first one lowest."""
    packed = np.packbits(flags, bitorder="little")
    return np.append(packed, np.zeros(-len(packed) % 8, np.uint8)).view("<u8")


def separators(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """Returns where columns and lines end, as `marks_of` has it."""
    flags = data == 1
    flags |= data == _NEWLINE
    return marks_of(flags)


def low_bytes(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """Returns where bytes below 16 are, as `marks_of` has it: separators of all kinds, and bytes that no plain text
    has."""
    return marks_of(data < 16)


@_compiled
def find_columns(
    data: np.ndarray, marks: np.ndarray, spare: bool, ends: np.ndarray, places: np.ndarray, others: np.ndarray
) -> tuple[int, int, int]:
    """Finds the columns of the lines in `data`, the last byte of which is a line feed, from its separators `marks`.

    For each line with the right number of columns, writes the ends of these to `ends`, and its place among all lines to
    `places`, int64 (n,); with `spare`, NO_LABELS may follow the last column. For each other line that is not blank,
    writes place, start and end to `others`, int64 (lines, 3). Returns how many are of each kind, and how many blank.
    """
    columns = ends.shape[1] - 1
    row = n_others = blank = place = column = 0
    start = np.int64(0)
    for number in range(len(marks)):
        left = marks[number]
        while left != 0:
            position = 64 * number + np.int64(trailing_zeros(left))
            left &= left - _1
            column += 1
            if column <= columns:
                ends[row, column] = position
            if data[position] != _NEWLINE:
                continue
            whole = column == columns or (
                spare and column == columns + _SPARE and position - ends[row, columns] == _SPARE
            )
            if whole and position - start <= MAX_LINE_BYTES:
                ends[row, 0], places[row] = start - 1, place
                row += 1
            elif position == start:
                blank += 1
            else:
                others[n_others, 0], others[n_others, 1], others[n_others, 2] = place, start, position
                n_others += 1
            place += 1
            start, column = position + 1, 0
    return row, n_others, blank


@_compiled
def read_integers(
    words: np.ndarray, ends: np.ndarray, column: int, values: np.ndarray, there: np.ndarray, odd: np.ndarray
) -> None:
    """Reads a column of integers, int64 (n,); `there`, bool (n,): those that are not missing."""
    for row in range(len(ends)):
        position, end = ends[row, column] + 1, ends[row, column + 1]
        negative = words[position] & _BYTE == _MINUS
        there[row] = end > position
        position += negative
        value, digits = np.int64(0), end - position
        plain = digits <= SAFE_DIGITS and (digits > 0 or not negative)
        while plain and position < end:
            length = min(end - position, 8)
            number = _number(words[position], length)
            value = value * _POWERS[length] + number
            plain = number >= 0
            position += length
        values[row] = -value if negative else value
        odd[row] |= not plain


@_compiled
def read_booleans(
    words: np.ndarray, ends: np.ndarray, column: int, values: np.ndarray, there: np.ndarray, odd: np.ndarray
) -> None:
    """Reads a column of booleans, bool (n,); `there`, bool (n,): those that are not missing."""
    for row in range(len(ends)):
        position = ends[row, column] + 1
        length = ends[row, column + 1] - position
        word = words[position] & ((_1 << np.uint64(8 * min(length, 5))) - _1)
        values[row] = word == _TRUE
        there[row] = length > 0
        odd[row] |= length > 0 and not (length == 4 and word == _TRUE) and not (length == 5 and word == _FALSE)


@_compiled
def read_texts(
    words: np.ndarray,
    ends: np.ndarray,
    column: int,
    only_ascii: bool,
    bounds: np.ndarray,
    texts: np.ndarray,
    odd: np.ndarray,
) -> None:
    """Copies a column of texts to `texts`, uint64 (bytes,): the 8 bytes from each byte on; `bounds` int32 (n + 1,)."""
    at = 0
    for row in range(len(ends)):
        position, end = ends[row, column] + 1, ends[row, column + 1]
        plain = end - position <= MAX_TEXT_BYTES
        while plain and position < end:
            word = words[position]
            texts[at] = word
            length = min(end - position, 8)
            plain = _first_low(word) >= length and not (only_ascii and word & _TOPS != 0)
            position += length
            at += length
        bounds[row + 1] = at
        odd[row] |= not plain


@_compiled
def read_lists(
    words: np.ndarray,
    ends: np.ndarray,
    column: int,
    only_ascii: bool,
    bounds: np.ndarray,
    item_bounds: np.ndarray,
    texts: np.ndarray,
    odd: np.ndarray,
) -> None:
    """Copies a column of lists of texts as `read_texts` does; `bounds` in items, `item_bounds` int32 (items + 1,)."""
    at = item = begin = 0
    for row in range(len(ends)):
        position, end = ends[row, column] + 1, ends[row, column + 1]
        plain, more, at = True, position < end, begin
        while plain and more:
            word = words[position]
            texts[at] = word
            length = _first_low(word)
            position += length
            at += length
            plain = at - begin <= MAX_TEXT_BYTES and not (only_ascii and word & _TOPS != 0)
            if length < 8:
                more = position < end
                plain = plain and (not more or words[position] & _BYTE == _TAB)
                position += 1
                item += 1
                item_bounds[item] = begin = at
        bounds[row + 1] = item
        odd[row] |= not plain


@_compiled
def read_tokens(
    words: np.ndarray,
    marks: np.ndarray,
    ends: np.ndarray,
    column: int,
    bounds: np.ndarray,
    low: np.ndarray,
    high_bounds: np.ndarray,
    high: np.ndarray,
    odd: np.ndarray,
) -> None:
    """Reads a column of token ids, between the `low_bytes` in `marks`, as numerics.token_bytes has them: `low` uint16
    (tokens,), `high` uint8 (bytes,); `bounds` and `high_bounds`, int32 (n + 1,), are in bytes."""
    token = byte = 0
    for row in range(len(ends)):
        position, end = np.int64(ends[row, column]) + 1, np.int64(ends[row, column + 1])
        some, plain, bits, place = position < end, True, _0, _0
        at = position >> 6
        before = np.uint64(position) & _63
        left = marks[at] >> before << before
        while some and plain:
            while left == 0:
                at += 1
                left = marks[at]
            mark = 64 * at + np.int64(trailing_zeros(left))
            left &= left - _1
            length = mark - position
            number = _number(words[position], length) if 0 < length <= 8 else -1
            low[token] = number & _LOW_BITS
            token += 1
            bits |= ((np.uint64(number) >> _16) & _1) << place
            place += _1
            if place == _8:
                high[byte] = bits
                byte += 1
                bits = place = _0
            plain = 0 <= number < VOCABULARY_SIZE
            if mark == end:
                break
            plain = plain and words[mark] & _BYTE == _TAB
            position = mark + 1
        high[byte] = bits | _1 << place
        byte += int(some)
        bounds[row + 1], high_bounds[row + 1] = 2 * token, byte
        odd[row] |= not plain


@_inner
def _first_low(word: np.uint64) -> np.int64:
    """Returns the place of the first byte below 16 of the 8, 8 if there is none: no such byte is in plain texts."""
    marks = (word - _TENS) & ~word & _TOPS
    return np.int64(trailing_zeros(marks) >> _3) if marks != 0 else np.int64(8)


@_inner
def _number(word: np.uint64, digits: int) -> np.int64:
    """Returns the number that the first `digits` of the 8 bytes of a word are, at least one; -1 if one is no digit.

    The digits are read together, by three multiplications (D. Lemire: Quickly parsing eight digits, 2018).
    """
    each = (word - _NOUGHTS) << (_64 - np.uint64(8 * digits))  # zeros in front of them
    if (each | (each + _BEYOND_NINE)) & _TOPS != 0:
        return np.int64(-1)
    each = ((each * _PAIRS) >> _8) & _BYTES_APART
    each = ((each * _FOURS) >> _16) & _HALVES_APART
    return np.int64((each * _EIGHTS) >> _32)
