"""What a synthetic world has beyond people, tweets and lasting effects: switches, and recipes that name sets of them.

Modules ask `Switch.FATIGUE in world.switches`. What only a switch needs is drawn from a random stream of its own, so
that worlds with and without it have the same people and tweets.
"""

from enum import Flag, StrEnum, auto

from engage_pipeline.errors import UserError


class Switch(Flag):
    """A mechanism of a world."""

    CENSORING = auto()
    """An engagement whose delay passes the end of the window is not seen. Without it every delay ends in time."""
    MOVING_TASTES = auto()
    """A viewer's taste moves to another community's, around a day of the viewer's own."""
    TOPIC_DRIFT = auto()
    """A topic is shown more on some days than on others, and pulls more, by a slow random walk."""
    SPIKES = auto()
    """A topic is hot on single days."""
    LATE_VIEWERS = auto()
    """Half of all people appear on days 14 to 24, instead of a tenth on day 21, when the evaluation begins."""
    SESSIONS = auto()
    """Viewers come in sessions, are shown what was written lately, and engage then, not after the tweet."""
    MOODS = auto()
    """A session is more or less engaged as a whole."""
    FATIGUE = auto()
    """A viewer tires of an author: engages less, the more of the author's tweets came in the three days before."""
    MOMENTUM = auto()
    """Who liked the previous tweet of a session is likelier to engage with the next one."""
    CONVERSATIONS = auto()
    """Who replied to an author within the last three days is likelier to reply again."""
    FACTORS = auto()
    """Viewers and authors belong to hidden groups, whose affinity is a product, not a sum."""
    LINKS = auto()
    """The probability of engaging is a mixture of probit, complementary log-log and cauchit instead of logistic."""
    MENTIONS = auto()
    """One in eight tweets that are no retweets begins with the name of a person, whose pull counts."""
    FIRST_WORDS = auto()
    """Half of the tweets begin with a word that has an effect of its own."""
    NAMED_RETWEETS = auto()
    """A retweet's text begins with the original author's name, whose pull counts."""


class Recipe(StrEnum):
    """A named set of switches: the option `--world`."""

    PLAIN = "plain"
    DRIFT = "drift"
    THREADS = "threads"
    NETWORK = "network"
    ALL = "all"

    @property
    def switches(self) -> Switch:
        """The mechanisms of the world."""
        return _SWITCHES[self]


def recipe_named(name: str) -> Recipe:
    """Returns the recipe of that name. Raises UserError if there is none."""
    if name not in list(Recipe):
        raise UserError(f"world: {name} is unknown; there are {', '.join(Recipe)}")
    return Recipe(name)


_SWITCHES = {
    Recipe.PLAIN: Switch.CENSORING,
    Recipe.DRIFT: (Switch.CENSORING | Switch.MOVING_TASTES | Switch.TOPIC_DRIFT | Switch.SPIKES | Switch.LATE_VIEWERS),
    Recipe.THREADS: (
        Switch.SESSIONS | Switch.MOODS | Switch.FATIGUE | Switch.MOMENTUM | Switch.CONVERSATIONS | Switch.MOVING_TASTES
    ),
    Recipe.NETWORK: (Switch.FACTORS | Switch.LINKS | Switch.MENTIONS | Switch.FIRST_WORDS | Switch.NAMED_RETWEETS),
    Recipe.ALL: ~Switch(0),
}
