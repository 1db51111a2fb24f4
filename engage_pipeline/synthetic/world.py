"""The world: people with a home community, tastes, activity, and lasting propensities as viewer and as author.

People are numbered so that a language, and within it a community, is a range of numbers: drawing from a community or
from the speakers of a language means drawing from a range. What belongs here: lasting properties of people, topics and
communities. What does not: tweets (tweets), and who sees them (exposures).
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from engage_pipeline.synthetic.draws import Flags, Floats, Integers, cumulative, random_ids, zipf

N_LANGUAGES = 66
N_TOPICS = 30
N_TASTES = 6
"""Dimensions of the space of the tastes of people, communities and topics."""
N_EFFECTS = 4
"""Engaging at all, and the pull towards retweet, retweet_with_comment and reply (labels.py)."""
PEOPLE_PER_COMMUNITY = 110
AUTHOR_SHARE = 0.25
NEWCOMER_SHARE = 0.1

CREATED_AFTER, CREATED_BEFORE = 1_150_000_000, 1_612_000_000
"""Accounts were created between June 2006 and the end of January 2021."""


@dataclass(frozen=True)
class World:
    """Arrays over people (n), communities, languages or topics, as noted beside each."""

    user_ids: pa.Array
    language_ids: pa.Array
    language: Integers  # (n)
    community: Integers  # (n)
    community_bounds: Integers  # (communities + 1): the people of community c are bounds[c] … bounds[c + 1] - 1
    language_bounds: Integers  # (languages + 1)
    language_shares: Floats  # (languages)
    home_topic: Integers  # (communities)
    topic_axes: Floats  # (topics, tastes)
    activity: Floats  # (n) how much a person sees
    authorship: Floats  # (n) how much a person writes; 0 = nothing
    newcomer: Flags  # (n) never seen before the evaluation week
    taste: Floats  # (n, tastes) of a person as a viewer
    position: Floats  # (n, tastes) of a person as an author
    viewer_effect: Floats  # (n, effects), laplace of variance 1
    author_effect: Floats  # (n, effects), normal of variance 1
    active_hour: Floats  # (n) the hour of the day, UTC, at which a viewer engages most
    following: Integers  # (n)
    created: Integers  # (n) Unix seconds

    @property
    def n_users(self) -> int:
        """The number of people."""
        return self.language.size


def build_world(rng: np.random.Generator, n_users: int) -> World:
    """Draws a world of `n_users` people."""
    shares = zipf(N_LANGUAGES, 1.0, 1.25)
    language = np.sort(rng.choice(N_LANGUAGES, n_users, p=shares))
    community, community_bounds = _communities(language)
    n_communities = community_bounds.size - 1
    topic_axes = rng.standard_normal((N_TOPICS, N_TASTES)) / np.sqrt(N_TASTES)
    home_topic = rng.choice(N_TOPICS, n_communities, p=zipf(N_TOPICS, 2.0, 0.8))
    community_taste = topic_axes[home_topic] + 0.7 * _tastes(rng, n_communities)
    authorship, newcomer = _writers(rng, n_users)
    return World(
        user_ids=random_ids(rng, n_users),
        language_ids=random_ids(rng, N_LANGUAGES),
        language=language,
        community=community,
        community_bounds=community_bounds,
        language_bounds=np.searchsorted(language, np.arange(N_LANGUAGES + 1)),
        language_shares=shares,
        home_topic=home_topic,
        topic_axes=topic_axes,
        activity=rng.lognormal(0.0, 1.2, n_users),
        authorship=authorship,
        newcomer=newcomer,
        taste=community_taste[community] + 0.9 * _tastes(rng, n_users),
        position=community_taste[community] + 0.7 * _tastes(rng, n_users),
        viewer_effect=rng.laplace(0.0, np.sqrt(0.5), (n_users, N_EFFECTS)),
        author_effect=rng.standard_normal((n_users, N_EFFECTS)),
        active_hour=rng.random(n_users) * 24,
        following=rng.lognormal(np.log(400), 1.1, n_users).astype(np.int64),
        created=rng.integers(CREATED_AFTER, CREATED_BEFORE, n_users),
    )


def _tastes(rng: np.random.Generator, count: int) -> Floats:
    return rng.standard_normal((count, N_TASTES)) / np.sqrt(N_TASTES)


def _communities(language: Integers) -> tuple[Integers, Integers]:
    """Splits the speakers of each language into communities of about PEOPLE_PER_COMMUNITY."""
    speakers = np.bincount(language, minlength=N_LANGUAGES)
    wanted = np.maximum(1, np.rint(speakers / PEOPLE_PER_COMMUNITY).astype(np.int64)) * (speakers > 0)
    first_person = (cumulative(speakers.astype(float))[:-1]).astype(np.int64)[language]
    first_community = (cumulative(wanted.astype(float))[:-1]).astype(np.int64)[language]
    place = np.arange(language.size) - first_person
    community = first_community + place * wanted[language] // speakers[language]
    return community, np.searchsorted(community, np.arange(wanted.sum() + 1))


def _writers(rng: np.random.Generator, n_users: int) -> tuple[Floats, Flags]:
    """Draws how much each person writes, heavy-tailed, and who is new in the evaluation week, never a top author."""
    n_authors = max(3, int(n_users * AUTHOR_SHARE))
    ranked = rng.permutation(n_users)
    authorship = np.zeros(n_users)
    authorship[ranked[:n_authors]] = zipf(n_authors, 15.0, 0.9)
    newcomer = rng.random(n_users) < NEWCOMER_SHARE
    newcomer[ranked[:3]] = False
    return authorship, newcomer
