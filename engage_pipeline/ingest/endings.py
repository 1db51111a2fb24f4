"""Whether a last line without a line end may have been cut off within its last column.

A line that lacks columns, or whose last boolean is cut, can't be read anyway. What is left of a time looks like an
earlier time, and what is left of nothing like a missing value: these would come in silently.
"""

from engage_pipeline.schema import COLUMN_NAMES, FIELD_SEPARATOR, N_TEST_COLUMNS

_SEPARATOR = FIELD_SEPARATOR.encode()
_TWEETED = COLUMN_NAMES.index("tweet_timestamp")


def cut_off(line: bytes, columns: int) -> str | None:
    """Why the last line of a part, which has no line end, may not be whole; None where it is.

    `columns` are those that a line must have; what is wrong with one that has others is told by their number. The last
    column must be as long as a whole one is: a time of an engagement has as many digits as that of its tweet, and a
    test line ends in true or false.
    """
    fields = line.split(_SEPARATOR)
    if len(fields) != columns:
        return None
    least = 1 if columns == N_TEST_COLUMNS else max(len(fields[_TWEETED]), 1)
    return None if len(fields[-1]) >= least else "line end: there is none, so that the last column may be cut off"
