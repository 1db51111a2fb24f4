"""Mutations of SQL statements: followers, language, and what ingest asks of a part."""

from engage_pipeline_tests.mutants.mutation import mutations

MUTATIONS = [
    *mutations(
        "SQL",
        "interactions/followers.sql",
        "interactions/graphs/test_similarity.py",
        ("engagee_follows_engager AND ", ""),
    ),
    *mutations(
        "SQL",
        "interactions/follower_edges.sql",
        "interactions/graphs/test_similarity.py",
        ("SELECT DISTINCT", "SELECT"),
    ),
    *mutations(
        "SQL",
        "language/distinct_tweets.sql",
        "language/test_tweets.py",
        ("GROUP BY tweet_id, text_tokens", "GROUP BY tweet_id, text_tokens, language"),
        ("OCTET_LENGTH(text_tokens_high) > 0", "OCTET_LENGTH(text_tokens_high) > 1"),
        ("LIMIT $most", "LIMIT $most + 1"),
    ),
    *mutations(
        "SQL", "language/tweets_with_language.sql", "language/test_tweets.py", ("MIN(language)", "MAX(language)")
    ),
    *mutations(
        "SQL",
        "ingest/label_counts.sql",
        "ingest/test_side_files.py",
        ("WHERE engagement_day <> 0", "WHERE engagement_day > 0"),
        ("COUNT(retweet_timestamp)", "COUNT(*)"),
    ),
    *mutations("SQL", "ingest/unknown_media.sql", "ingest/test_part_ingest.py", ("ORDER BY n DESC", "ORDER BY n")),
]
