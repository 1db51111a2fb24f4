"""The text columns of tweets and people in a raw part, made once for each tweet and person.

Words come from three vocabularies: the tweet's language, its topic, and a common one, so that a text reveals language
and topic. A text may begin with a name and with a word that has an effect.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engage_pipeline.schema import (
    AT_TOKEN,
    CLS_TOKEN,
    COLON_TOKEN,
    FIELD_SEPARATOR,
    LIST_SEPARATOR,
    RT_TOKEN,
    SEP_TOKEN,
    VOCABULARY_SIZE,
)
from engage_pipeline.synthetic.accounts import Accounts
from engage_pipeline.synthetic.draws import Flags, Integers, random_ids, skewed_below
from engage_pipeline.synthetic.margins import N_TOKENS, at_levels
from engage_pipeline.synthetic.tweets import GIF, N_DOMAINS, N_LINKS, NO_WORD, NOBODY, TYPES, VIDEO, Tweets
from engage_pipeline.synthetic.world import HASHTAGS_PER_TOPIC, N_FIRST_WORDS, N_LANGUAGES, N_TOPICS, World

LOWEST_WORD = 1_000
LANGUAGE_WORDS, TOPIC_WORDS, COMMON_WORDS = 1_500, 200, 150
LANGUAGE_WORD_SHARE, TOPIC_WORD_SHARE = 0.55, 0.25
NAME_TOKENS = 2
VISUALS = pa.array(["", *(LIST_SEPARATOR.join(["Photo"] * n) for n in (1, 2, 3, 4)), "Video", "GIF"])
BOOLEANS = pa.array(["false", "true"])
SLICE_TWEETS = 40_000


class Lexicon:
    """The names of what texts are made of: words, names, hashtags, links and domains; one for all windows."""

    def __init__(self, rng: np.random.Generator, n_users: int) -> None:
        """Draws token ids and ids."""
        self.language = rng.integers(LOWEST_WORD, VOCABULARY_SIZE, (N_LANGUAGES, LANGUAGE_WORDS))
        self.topic = rng.integers(LOWEST_WORD, VOCABULARY_SIZE, (N_TOPICS, TOPIC_WORDS))
        self.common = rng.integers(LOWEST_WORD, VOCABULARY_SIZE, COMMON_WORDS)
        self.first_words = rng.integers(LOWEST_WORD, VOCABULARY_SIZE, N_FIRST_WORDS)
        self.names = rng.integers(LOWEST_WORD, VOCABULARY_SIZE, (n_users, NAME_TOKENS))
        self.spelled = pa.array(np.arange(VOCABULARY_SIZE)).cast(pa.string())
        self.hashtags = random_ids(rng, N_TOPICS * HASHTAGS_PER_TOPIC)
        self.links, self.domains = random_ids(rng, N_LINKS), random_ids(rng, N_DOMAINS)
        self.domain_of_link = skewed_below(rng, N_DOMAINS, N_LINKS, 2.0)

    def texts(self, rng: np.random.Generator, tweets: Tweets, part: slice) -> pa.Array:
        """Draws the token ids [CLS] … [SEP] of a slice of tweets, as string.

        Lengths, with [CLS] and [SEP], have the quantiles N_TOKENS: mean 47, median 41, 95 % below 105, at most 238.
        """
        language, topic = tweets.language[part], tweets.topic[part]
        lengths = np.rint(at_levels(rng.random(language.size), N_TOKENS)).astype(np.int64)
        prefix, prefix_lengths = self._prefixes(tweets, part)
        lengths = np.maximum(lengths, prefix_lengths + 2)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        owner = np.repeat(np.arange(language.size), lengths)
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
        kept = np.arange(prefix.shape[1]) < prefix_lengths[:, None]
        tokens[(offsets[:-1, None] + 1 + np.arange(prefix.shape[1]))[kept]] = prefix[kept]
        lists = pa.ListArray.from_arrays(pa.array(offsets), self.spelled.take(pa.array(tokens)))
        return pc.binary_join(lists, LIST_SEPARATOR)

    def _prefixes(self, tweets: Tweets, part: slice) -> tuple[Integers, Integers]:
        """Returns what texts begin with after [CLS]: token ids (tweets, longest), and how many of them count."""
        person, word = tweets.named[part], tweets.first_word[part]
        named = person != NOBODY
        retweet = named & (tweets.type[part] == TYPES.index("Retweet"))
        pieces: list[tuple[Flags, int | Integers]] = [(retweet, RT_TOKEN), (named, AT_TOKEN)]
        pieces += [(named, self.names[person, place]) for place in range(NAME_TOKENS)]
        pieces += [(retweet, COLON_TOKEN), (word != NO_WORD, self.first_words[word])]
        tokens, lengths = np.zeros((person.size, len(pieces)), dtype=np.int64), np.zeros(person.size, dtype=np.int64)
        for present, token in pieces:
            rows = np.flatnonzero(present)
            tokens[rows, lengths[rows]] = np.broadcast_to(token, person.size)[rows]
            lengths += present
        return tokens, lengths


def tweet_texts(
    rng: np.random.Generator, world: World, lexicon: Lexicon, tweets: Tweets, people: pa.Array, ids: pa.Array
) -> pa.Array:
    """Makes the first 14 columns (tweet and author) of each tweet, as large_string; `people` from `user_texts`."""
    hashtags = _joined(tweets.hashtag_counts, tweets.hashtags, lexicon.hashtags)
    links = _joined(tweets.link_counts, tweets.links, lexicon.links)
    domains = _joined(tweets.link_counts, lexicon.domain_of_link[tweets.links], lexicon.domains)
    visuals = VISUALS.take(pa.array(_visual_codes(tweets)))
    types = pa.array(TYPES).take(pa.array(tweets.type))
    slices = []
    for first in range(0, tweets.author.size, SLICE_TWEETS):
        part = slice(first, first + SLICE_TWEETS)
        columns = (
            lexicon.texts(rng, tweets, part),
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


def user_texts(world: World, accounts: Accounts) -> pa.Array:
    """Makes the five columns of each person, the same as author and as viewer, as string."""
    columns = (
        world.user_ids.cast(pa.string()),
        pa.array(accounts.followers).cast(pa.string()),
        pa.array(accounts.following).cast(pa.string()),
        booleans(accounts.verified),
        pa.array(accounts.created).cast(pa.string()),
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
