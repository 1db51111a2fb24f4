"""Counts the tokens of tweets in one pass, compiled."""

import numpy as np

from engage_pipeline.numerics.compilation import compiled


@compiled()
def count(
    tokens: np.ndarray,
    lengths: np.ndarray,
    language: np.ndarray,
    numbers: np.ndarray,
    table: np.ndarray,
    places: np.ndarray,
    columns: np.ndarray,
    counts: np.ndarray,
    starts: np.ndarray,
) -> None:
    """Writes the columns of each tweet as they occur, how often each does, and where the next tweet starts.

    All are arrays of TokenColumns; `table` has a negative number where a token has no column. `places` int64 [kept]:
    any numbers, which become the last entry of each column.
    """
    first = size = 0
    for tweet in range(len(lengths)):
        for one in range(first + 1, first + lengths[tweet] - 1):
            token = tokens[one]
            number = numbers[token if 0 <= token < len(numbers) else len(numbers) - 1]
            column = table[language[tweet], number]
            if column < 0:
                continue
            place = places[column]
            if starts[tweet] <= place < size and columns[place] == column:
                counts[place] += 1
            else:
                places[column], columns[size], counts[size] = size, column, 1
                size += 1
        first += lengths[tweet]
        starts[tweet + 1] = size
