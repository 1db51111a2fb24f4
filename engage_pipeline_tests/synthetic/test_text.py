"""Language and topic show in a tweet's tokens."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from engage_pipeline.schema import AT_TOKEN, COLON_TOKEN, RT_TOKEN
from engage_pipeline.synthetic.draws import random_ids
from engage_pipeline.synthetic.recipes import Switch
from engage_pipeline.synthetic.text import Lexicon, tweet_texts
from engage_pipeline.synthetic.tweets import NO_WORD, NOBODY, TYPES, Tweets
from engage_pipeline.synthetic.windows import Window
from engage_pipeline_tests.synthetic.drawn import PLAIN, Drawn


def spelled(drawn: Drawn, tweets: Tweets) -> list[list[int]]:
    """The tokens of the tweets."""
    lexicon = Lexicon(np.random.default_rng(8), drawn.users)
    ids = random_ids(np.random.default_rng(7), tweets.author.size)
    people = pa.array(["person"] * drawn.users)
    texts = tweet_texts(np.random.default_rng(9), drawn.world, lexicon, tweets, people, ids).to_pylist()
    return [[int(token) for token in text.split("\x01")[0].split("\t")] for text in texts]


@pytest.mark.parametrize(("what", "expected"), [("language", 0.55), ("topic", 0.25)])
def test_a_share_of_the_words_is_peculiar_to(what: str, expected: float) -> None:
    drawn = Drawn(users=50, window=Window(0, 21, 1_300))
    words = []
    for value in (0, 1):
        changed = dataclasses.replace(drawn.tweets, **{what: np.full(drawn.tweets.author.size, value)})
        words.append([word for text in spelled(drawn, changed) for word in text[1:-1]])
    assert np.mean(np.array(words[0]) != np.array(words[1])) == pytest.approx(expected, abs=0.02)


def test_names_and_first_words_begin_a_text() -> None:
    drawn = Drawn(PLAIN | Switch.NAMED_RETWEETS | Switch.MENTIONS | Switch.FIRST_WORDS)
    lexicon = Lexicon(np.random.default_rng(8), drawn.users)
    retweets = drawn.tweets.type == TYPES.index("Retweet")
    for tokens, person, word, retweet in zip(
        spelled(drawn, drawn.tweets), drawn.tweets.named, drawn.tweets.first_word, retweets, strict=True
    ):
        name = [] if person == NOBODY else [AT_TOKEN, *lexicon.names[person]]
        first = [] if word == NO_WORD else [lexicon.first_words[word]]
        expected = [RT_TOKEN, *name, COLON_TOKEN, *first] if retweet else [*name, *first]
        assert tokens[1 : 1 + len(expected)] == expected
        assert min(tokens[1 + len(expected) : -1], default=1_000) >= 1_000
    assert (drawn.tweets.named[retweets] != NOBODY).all()
    assert (drawn.tweets.named[~retweets] != NOBODY).mean() == pytest.approx(0.125, abs=0.02)
    assert (drawn.tweets.first_word != NO_WORD).mean() == pytest.approx(0.5, abs=0.03)


def test_plain_texts_name_nobody() -> None:
    assert (Drawn().tweets.named == NOBODY).all()
    assert (Drawn().tweets.first_word == NO_WORD).all()
