"""The world: people with a home community, tastes, activity, and lasting propensities as viewer and as author.

People are numbered so that a language, and within it a community, is a range of numbers: drawing from a community or
from the speakers of a language means drawing from a range. What belongs here: lasting properties of people, topics and
communities. What does not: tweets (tweets), and who sees them (exposures).
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from engage_pipeline.synthetic.draws import Floats, Integers, cumulative, random_ids, zipf
from engage_pipeline.synthetic.drift import Drift, draw_drift
from engage_pipeline.synthetic.margins import LANGUAGE_SHARES
from engage_pipeline.synthetic.recipes import Recipe, Switch
from engage_pipeline.synthetic.windows import TRAINING_DAYS

N_LANGUAGES = LANGUAGE_SHARES.size
N_TOPICS = 30
HASHTAGS_PER_TOPIC = 60
N_FIRST_WORDS = 300
N_TYPES = 3
N_TASTES = 6
"""Dimensions of the space of the tastes of people, communities and topics."""
N_FACTORS, N_HIDDEN_GROUPS, GROUP_SHARE = 8, 12, 0.7
"""GROUP_SHARE is the share of the variance of people's factors that their hidden group explains."""
N_EFFECTS = 4
"""Engaging at all, and the pull towards retweet, retweet_with_comment and reply (effects.py)."""
PEOPLE_PER_COMMUNITY = 110
AUTHOR_SHARE = 0.25
FAME_DAMPING, FAMOUS_FROM = 1.5, -1.0
"""How much less famous people look at tweets: by exp(FAME_DAMPING) for each unit of fame beyond FAMOUS_FROM."""
NEWCOMER_SHARE, LATE_SHARE = 0.1, 0.5
LATE_FROM, LATE_UNTIL = 14, 25
"""The first day on which late people appear, and the day after the last one."""


@dataclass(frozen=True)
class Hidden:
    """What counts with Switch.FACTORS and Switch.FIRST_WORDS."""

    viewer_factor: Floats  # (n, factors), normal of variance 1
    author_factor: Floats  # (n, factors), normal of variance 1
    factor_effect: Floats  # (factors, effects), columns of length 1
    first_word_effect: Floats  # (first words, effects), normal of variance 1


@dataclass(frozen=True)
class World:
    """Arrays over people (n), communities, languages or topics, as noted beside each."""

    switches: Switch
    salt: int  # of the effects of pairs
    user_ids: pa.Array
    language_ids: pa.Array
    language: Integers  # (n)
    community: Integers  # (n)
    community_bounds: Integers  # (communities + 1): the people of community c are bounds[c] … bounds[c + 1] - 1
    language_bounds: Integers  # (languages + 1)
    home_topic: Integers  # (communities)
    topic_axes: Floats  # (topics, tastes)
    fame: Floats  # (n) standard normal; the more, the more followers
    activity: Floats  # (n) how much a person sees
    curiosity: Floats  # (n) 0 … 1; the more famous people who write, the less they look at tweets
    authorship: Floats  # (n) how much a person writes; 0 = nothing
    arrival: Integers  # (n) the day on which a person appears
    taste: Floats  # (n, tastes) of a person as a viewer
    position: Floats  # (n, tastes) of a person as an author
    viewer_effect: Floats  # (n, effects), laplace of variance 1
    author_effect: Floats  # (n, effects), normal of variance 1
    type_habit: Floats  # (n, types) of a viewer, normal of variance 1
    topic_effect: Floats  # (topics, effects), normal of variance 1, mean 0
    hashtag_effect: Floats  # (hashtags, effects), normal of variance 1
    active_hour: Floats  # (n) the hour of the day, UTC, at which a viewer engages most
    drift: Drift
    hidden: Hidden

    @property
    def n_users(self) -> int:
        """The number of people."""
        return self.language.size


def build_world(rng: np.random.Generator, n_users: int, switches: Switch = Recipe.PLAIN.switches) -> World:
    """Draws a world of `n_users` people."""
    people_rng, drift_rng, hidden_rng = rng.spawn(3)
    language = np.sort(people_rng.choice(N_LANGUAGES, n_users, p=LANGUAGE_SHARES))
    community, community_bounds = _communities(language)
    n_communities = community_bounds.size - 1
    topic_axes = people_rng.standard_normal((N_TOPICS, N_TASTES)) / np.sqrt(N_TASTES)
    home_topic = people_rng.choice(N_TOPICS, n_communities, p=zipf(N_TOPICS, 2.0, 0.8))
    community_taste = topic_axes[home_topic] + 0.7 * _tastes(people_rng, n_communities)
    taste = community_taste[community] + 0.9 * _tastes(people_rng, n_users)
    fame = people_rng.standard_normal(n_users)
    authorship, arrival = _writers(people_rng, n_users, switches)
    curiosity = np.exp(-FAME_DAMPING * np.maximum(fame - FAMOUS_FROM, 0.0) * (authorship > 0))
    topic_effect = people_rng.standard_normal((N_TOPICS, N_EFFECTS))
    return World(
        switches=switches,
        salt=int(people_rng.integers(0, 2**63)),
        user_ids=random_ids(people_rng, n_users),
        language_ids=random_ids(people_rng, N_LANGUAGES),
        language=language,
        community=community,
        community_bounds=community_bounds,
        language_bounds=np.searchsorted(language, np.arange(N_LANGUAGES + 1)),
        home_topic=home_topic,
        topic_axes=topic_axes,
        fame=fame,
        activity=people_rng.lognormal(0.0, 1.2, n_users) * curiosity,
        curiosity=curiosity,
        authorship=authorship,
        arrival=arrival,
        taste=taste,
        position=community_taste[community] + 0.7 * _tastes(people_rng, n_users),
        viewer_effect=people_rng.laplace(0.0, np.sqrt(0.5), (n_users, N_EFFECTS)),
        author_effect=people_rng.standard_normal((n_users, N_EFFECTS)),
        type_habit=people_rng.standard_normal((n_users, N_TYPES)),
        topic_effect=topic_effect - topic_effect.mean(axis=0),
        hashtag_effect=people_rng.standard_normal((N_TOPICS * HASHTAGS_PER_TOPIC, N_EFFECTS)),
        active_hour=people_rng.random(n_users) * 24,
        drift=draw_drift(drift_rng, switches, taste, community_taste, N_TOPICS),
        hidden=_hidden(hidden_rng, n_users),
    )


def _tastes(rng: np.random.Generator, count: int) -> Floats:
    return rng.standard_normal((count, N_TASTES)) / np.sqrt(N_TASTES)


def _hidden(rng: np.random.Generator, n_users: int) -> Hidden:
    """Draws factors that people share with their hidden groups, one group as a viewer and one as an author."""
    factors = []
    for _ in ("viewer", "author"):
        centres = rng.standard_normal((N_HIDDEN_GROUPS, N_FACTORS))
        group = rng.integers(0, N_HIDDEN_GROUPS, n_users)
        own = rng.standard_normal((n_users, N_FACTORS))
        factors.append(np.sqrt(GROUP_SHARE) * centres[group] + np.sqrt(1 - GROUP_SHARE) * own)
    factor_effect = rng.standard_normal((N_FACTORS, N_EFFECTS))
    return Hidden(
        viewer_factor=factors[0],
        author_factor=factors[1],
        factor_effect=factor_effect / np.sqrt((factor_effect**2).sum(axis=0)),
        first_word_effect=rng.standard_normal((N_FIRST_WORDS, N_EFFECTS)),
    )


def _communities(language: Integers) -> tuple[Integers, Integers]:
    """Splits the speakers of each language into communities of about PEOPLE_PER_COMMUNITY."""
    speakers = np.bincount(language, minlength=N_LANGUAGES)
    wanted = np.maximum(1, np.rint(speakers / PEOPLE_PER_COMMUNITY).astype(np.int64)) * (speakers > 0)
    first_person = (cumulative(speakers.astype(float))[:-1]).astype(np.int64)[language]
    first_community = (cumulative(wanted.astype(float))[:-1]).astype(np.int64)[language]
    place = np.arange(language.size) - first_person
    community = first_community + place * wanted[language] // speakers[language]
    return community, np.searchsorted(community, np.arange(wanted.sum() + 1))


def _writers(rng: np.random.Generator, n_users: int, switches: Switch) -> tuple[Floats, Integers]:
    """Draws how much each person writes, heavy-tailed, and the day on which each appears: top authors on day 0."""
    n_authors = max(3, int(n_users * AUTHOR_SHARE))
    ranked = rng.permutation(n_users)
    authorship = np.zeros(n_users)
    authorship[ranked[:n_authors]] = zipf(n_authors, 15.0, 0.9)
    late, share = np.full(n_users, TRAINING_DAYS), NEWCOMER_SHARE
    position = rng.random(n_users)
    if Switch.LATE_VIEWERS in switches:
        late = rng.integers(LATE_FROM, LATE_UNTIL, n_users)
        share = LATE_SHARE
    arrival = np.where(position < share, late, 0)
    arrival[ranked[:3]] = 0
    return authorship, arrival
