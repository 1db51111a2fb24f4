"""Language and topic show in a tweet's tokens."""

import dataclasses

import numpy as np
import pytest

from engage_pipeline.synthetic.draws import random_ids
from engage_pipeline.synthetic.text import tweet_texts, user_texts
from engage_pipeline.synthetic.tweets import draw_tweets
from engage_pipeline.synthetic.world import build_world


@pytest.mark.parametrize(("what", "expected"), [("language", 0.55), ("topic", 0.25)])
def test_a_share_of_the_words_is_peculiar_to(what: str, expected: float) -> None:
    rng = np.random.default_rng(3)
    world = build_world(rng, 50)
    tweets = draw_tweets(rng, world, 1_000, 300)
    nothing = np.zeros(world.n_users, dtype=np.int64)
    people, ids = user_texts(world, nothing, nothing == 1), random_ids(rng, tweets.author.size)
    words = []
    for value in (0, 1):
        changed = dataclasses.replace(tweets, **{what: np.full(tweets.author.size, value)})
        texts = tweet_texts(np.random.default_rng(9), world, changed, people, ids).to_pylist()
        words.append([word for text in texts for word in text.split("\x01")[0].split("\t")[1:-1]])
    assert np.mean(np.array(words[0]) != np.array(words[1])) == pytest.approx(expected, abs=0.02)
