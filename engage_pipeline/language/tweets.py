"""The distinct tweets of typed parts, input of the encoder and the topics. Many rows share a tweet."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from engage_pipeline.engines.opening import open_engine
from engage_pipeline.errors import UserError
from engage_pipeline.settings.settings import Settings

DISTINCT_TWEETS_SQL = "language/distinct_tweets.sql"
TWEETS_WITH_LANGUAGE_SQL = "language/tweets_with_language.sql"
OCCURRENCES = "occurrences"
"""The column with the number of rows of a tweet (int64)."""
_NO_LIMIT = 2**31 - 1


def distinct_tweets(tweets: Sequence[Path], *, max_tweets: int | None, settings: Settings) -> pa.Table:
    """Reads the distinct tweets of typed parts: tweet_id, TOKEN_COLUMNS, occurrences; sorted by tweet_id.

    At most the first `max_tweets` are kept: a random sample, because ids are hashes. Tweets without tokens are left
    out. Raises UserError if no tweet has tokens.
    """
    table = _fetch(DISTINCT_TWEETS_SQL, tweets, max_tweets, settings)
    if table.num_rows == 0:
        folder = tweets[0].parent if tweets else "encoder.parts"
        raise UserError(f"{folder}: no tweet has text_tokens; docs/data.md, Text, says what to do without")
    return table


def tweets_with_language(tweets: Sequence[Path], *, max_tweets: int | None, settings: Settings) -> pa.Table:
    """Reads the same tweets: tweet_id, TOKEN_COLUMNS, language (the first of several, or null). There may be none."""
    return _fetch(TWEETS_WITH_LANGUAGE_SQL, tweets, max_tweets, settings)


def _fetch(sql: str, tweets: Sequence[Path], max_tweets: int | None, settings: Settings) -> pa.Table:
    with open_engine(settings, readable=sorted({path.parent for path in tweets})) as engine:
        engine.read("tweets", tweets)
        return engine.fetch(sql, {"most": max_tweets or _NO_LIMIT})
