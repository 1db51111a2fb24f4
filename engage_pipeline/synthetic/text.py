"""The text columns of tweets and people in a raw part, made once for each tweet and person.

Words come from three vocabularies: the tweet's language, its topic, and a common one, so that a text reveals language
and topic.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engage_pipeline.schema import CLS_TOKEN, FIELD_SEPARATOR, LIST_SEPARATOR, SEP_TOKEN, VOCABULARY_SIZE
from engage_pipeline.synthetic.draws import Flags, Integers, random_ids, skewed_below
from engage_pipeline.synthetic.tweets import GIF, HASHTAGS_PER_TOPIC, N_DOMAINS, N_LINKS, TYPES, VIDEO, Tweets
from engage_pipeline.synthetic.world import N_LANGUAGES, N_TOPICS, World

FIRST_WORD = 1_000
LANGUAGE_WORDS, TOPIC_WORDS, COMMON_WORDS = 1_500, 200, 150
LANGUAGE_WORD_SHARE, TOPIC_WORD_SHARE = 0.55, 0.25
MIN_TOKENS, MAX_TOKENS = 3, 238
VISUALS = pa.array(["", *(LIST_SEPARATOR.join(["Photo"] * n) for n in (1, 2, 3, 4)), "Video", "GIF"])
BOOLEANS = pa.array(["false", "true"])
SLICE_TWEETS = 40_000


def tweet_texts(rng: np.random.Generator, world: World, tweets: Tweets, people: pa.Array, ids: pa.Array) -> pa.Array:
    """Makes the first 14 columns (tweet and author) of each tweet, as large_string; `people` from `user_texts`."""
    vocabulary = _Vocabulary(rng)
    hashtags = _joined(tweets.hashtag_counts, tweets.hashtags, random_ids(rng, N_TOPICS * HASHTAGS_PER_TOPIC))
    links = _joined(tweets.link_counts, tweets.links, random_ids(rng, N_LINKS))
    domain_of_link = skewed_below(rng, N_DOMAINS, N_LINKS, 2.0)
    domains = _joined(tweets.link_counts, domain_of_link[tweets.links], random_ids(rng, N_DOMAINS))
    visuals = VISUALS.take(pa.array(_visual_codes(tweets)))
    types = pa.array(TYPES).take(pa.array(tweets.type))
    slices = []
    for first in range(0, tweets.author.size, SLICE_TWEETS):
        part = slice(first, first + SLICE_TWEETS)
        columns = (
            vocabulary.texts(rng, tweets.language[part], tweets.topic[part]),
            hashtags[part],
            ids[part].cast(pa.string()),
            visuals[part],
            links[part],
            domains[part],
            types[part],
            world.language_ids.take(pa.array(tweets.language[part])).cast(pa.string()),
            pa.array(tweets.timestamp[part]).cast(pa.string()),
            people.take(pa.array(tweets.author[part])),
        )
        slices.append(pc.binary_join_element_wise(*columns, FIELD_SEPARATOR).cast(pa.large_string()))
    return pa.concat_arrays(slices)


def user_texts(world: World, followers: Integers, verified: Flags) -> pa.Array:
    """Makes the five columns of each person, the same as author and as viewer, as string."""
    columns = (
        world.user_ids.cast(pa.string()),
        pa.array(followers).cast(pa.string()),
        pa.array(world.following).cast(pa.string()),
        booleans(verified),
        pa.array(world.created).cast(pa.string()),
    )
    return pc.binary_join_element_wise(*columns, FIELD_SEPARATOR)


def booleans(flags: Flags) -> pa.Array:
    """Converts flags to `true` and `false`, as string."""
    return BOOLEANS.take(pa.array(flags.astype(np.int8)))


def _visual_codes(tweets: Tweets) -> Integers:
    """Returns each tweet's index into VISUALS."""
    codes = tweets.n_photos.copy()
    codes[tweets.visual == VIDEO] = 5
    codes[tweets.visual == GIF] = 6
    return codes


def _joined(counts: Integers, flat: Integers, names: pa.Array) -> pa.Array:
    """Joins lists as text: list i is the next `counts[i]` entries of `flat`, indices into `names`; maybe empty."""
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    lists = pa.ListArray.from_arrays(pa.array(offsets), names.cast(pa.string()).take(pa.array(flat)))
    return pc.binary_join(lists, LIST_SEPARATOR)


class _Vocabulary:
    """The token ids of the words of each language, of each topic, and of all."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Draws the words' token ids."""
        self.language = rng.integers(FIRST_WORD, VOCABULARY_SIZE, (N_LANGUAGES, LANGUAGE_WORDS))
        self.topic = rng.integers(FIRST_WORD, VOCABULARY_SIZE, (N_TOPICS, TOPIC_WORDS))
        self.common = rng.integers(FIRST_WORD, VOCABULARY_SIZE, COMMON_WORDS)
        self.spelled = pa.array(np.arange(VOCABULARY_SIZE)).cast(pa.string())

    def texts(self, rng: np.random.Generator, language: Integers, topic: Integers) -> pa.Array:
        """Draws the token ids [CLS] … [SEP] of tweets, as string.

        Lengths, with [CLS] and [SEP], are log-normal minus a constant: mean 47, median 41, 95 % below 105, at most 238.
        """
        lengths = np.rint(61 * np.exp(0.436 * rng.standard_normal(language.size)) - 20).clip(MIN_TOKENS, MAX_TOKENS)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        owner = np.repeat(np.arange(language.size), lengths.astype(np.int64))
        source = rng.random(owner.size)
        tokens = np.where(
            source < LANGUAGE_WORD_SHARE,
            self.language[language[owner], skewed_below(rng, LANGUAGE_WORDS, owner.size, 3.0)],
            np.where(
                source < LANGUAGE_WORD_SHARE + TOPIC_WORD_SHARE,
                self.topic[topic[owner], skewed_below(rng, TOPIC_WORDS, owner.size, 2.0)],
                self.common[skewed_below(rng, COMMON_WORDS, owner.size, 2.0)],
            ),
        )
        tokens[offsets[:-1]], tokens[offsets[1:] - 1] = CLS_TOKEN, SEP_TOKEN
        lists = pa.ListArray.from_arrays(pa.array(offsets), self.spelled.take(pa.array(tokens)))
        return pc.binary_join(lists, LIST_SEPARATOR)
