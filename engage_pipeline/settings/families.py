"""The feature families that `features.families` switches on and off, by name.

A family of counters is one SQL file of interactions/keys (or two, for the roles and for similar authors), whose counts
are 0 where it is off. A family of effects is a group of effects of the mixed model (model/effects/effects.py), which
does not fit them where it is off. What does not belong here: what is counted or fitted.
"""

COUNTER_FAMILIES = {
    "pair_counters": "engagements of this viewer with this author",
    "author_counters": "engagements with the author",
    "viewer_counters": "engagements of the viewer",
    "language_counters": "engagements of the viewer in the language",
    "hashtag_counters": "engagements of the viewer with the hashtags",
    "tweet_counters": "engagements of others with the tweet",
    "similar_authors": "engagements of the viewer with similar authors",
    "reversed_roles": "author and viewer with their roles changed",
}
EFFECT_FAMILIES = {
    "people_effects": "how much the viewer engages, how much the author is engaged with",
    "pair_effects": "what lies between this viewer and this author alone",
    "tweet_effects": "how much the tweet is engaged with",
    "habit_effects": "what the viewer does with this type of tweet, in this language, at this hour",
    "topic_effects": "what the viewer and the viewer's community do with the topic",
    "community_effects": "what the communities of viewer and author do with each other",
    "context_effects": "hashtag, type, media, links, language, hour, whether the viewer follows the author",
    "censoring_effects": "how much time is left to the end of the window",
}
TOPIC_READERS = ("topic_effects",)
COMMUNITY_READERS = ("topic_effects", "community_effects")
"""The families whose effects have keys of topics, and of communities: without them neither is looked for."""
FAMILY_NAMES = (*COUNTER_FAMILIES, *EFFECT_FAMILIES)
