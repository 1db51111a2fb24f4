"""How the text of a tweet begins: whom it names, and its first word.

A retweet begins with `RT @name :`, and an answer often with `@name`. Token ids do not say where a name ends. In a
retweet the colon does; elsewhere the first NAME_TOKENS stand for the name.
"""

import numpy as np

from engage_pipeline.numerics.compilation import compiled
from engage_pipeline.numerics.fingerprints import NO_FINGERPRINT
from engage_pipeline.numerics.splitmix import GOLDEN_GAMMA
from engage_pipeline.schema import AT_TOKEN, COLON_TOKEN, RT_TOKEN

NAME_TOKENS = 2
"""So many tokens after `@` stand for a name that no colon ends."""
MOST_NAME_TOKENS = 16
"""A name has at most 15 letters, so that a colon after more tokens does not end one."""


def openings_of(offsets: np.ndarray, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns whom each text names, and its first word after that, int64 [n] each; NO_FINGERPRINT where there is none.

    `offsets` int64 [n + 1] and `tokens` int32 as in token_bytes, with [CLS] and [SEP]. A name is a hash of its tokens,
    a word 1 + its token id.
    """
    named, words = np.full((2, len(offsets) - 1), NO_FINGERPRINT, np.int64)
    _find(offsets, tokens, named.view(np.uint64), words)
    return named, words


@compiled()
def _find(offsets: np.ndarray, tokens: np.ndarray, named: np.ndarray, words: np.ndarray) -> None:
    for row in range(len(named)):
        place, end = offsets[row] + 1, offsets[row + 1] - 1
        first = last = place
        if place + 1 < end and tokens[place] == RT_TOKEN and tokens[place + 1] == AT_TOKEN:
            colon = place + 2
            while colon < min(end, place + 2 + MOST_NAME_TOKENS) and tokens[colon] != COLON_TOKEN:
                colon += 1
            if colon < end and tokens[colon] == COLON_TOKEN:
                first, last, place = place + 2, colon, colon + 1
        elif place < end and tokens[place] == AT_TOKEN:
            first, last = place + 1, min(place + 1 + NAME_TOKENS, end)
            place = last
        for name in range(first, last):
            named[row] = (named[row] + np.uint64(1 + tokens[name])) * GOLDEN_GAMMA
        if place < end:
            words[row] = 1 + tokens[place]
