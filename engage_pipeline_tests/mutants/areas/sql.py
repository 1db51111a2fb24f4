"""Mutations of SQL statements: counting, features, language, and what ingest asks of a part."""

from engage_pipeline_tests.mutants.mutation import mutations

COUNTING = "interactions/test_counting.py"
FEATURES = "interactions/test_golden.py interactions/test_against_reference.py"

MUTATIONS = [
    *mutations(
        "SQL",
        "interactions/count_totals.sql",
        COUNTING,
        ("SUM(negative)", "MAX(negative)", "interactions/test_counting.py"),
        ("SUM(exposures)", "MAX(exposures)"),
        ("SUM(reply)", "MAX(reply)", "interactions/test_counting.py"),
    ),
    *mutations(
        "SQL",
        "interactions/counts_by_fold.sql",
        COUNTING,
        ("SUM(negative)", "MAX(negative)", "interactions/test_counting.py"),
        ("SUM(retweet)", "SUM(retweet_with_comment)"),
        ("COUNT(*)", "COUNT(DISTINCT line_number)"),
        ('CAST(SUM("like") AS INT)', 'CAST(MAX("like") AS INT)', "interactions/test_counting.py"),
    ),
    *mutations(
        "SQL",
        "interactions/exposures.sql",
        COUNTING,
        (
            "reply_timestamp, retweet_timestamp, retweet_with_comment_timestamp) IS NULL",
            "reply_timestamp, retweet_timestamp) IS NULL",
        ),
        ("        THEN 1 ELSE 0", "        THEN 0 ELSE 1"),
        ("engaged_with_user_id AS author", "engaging_user_id AS author"),
    ),
    *mutations(
        "SQL",
        "interactions/days.sql",
        "interactions/test_counting.py",
        ("SUM(negative)", "MAX(negative)"),
        ("GROUP BY fold\n", "GROUP BY fold, viewer\n"),
    ),
    *mutations(
        "SQL",
        "interactions/figures.sql",
        "interactions/test_counting.py",
        ("SUM(retweet_with_comment)", "SUM(retweet)"),
    ),
    *mutations(
        "SQL",
        "interactions/left_out.sql",
        FEATURES,
        ("totals.negative - COALESCE(by_fold.negative, 0)", "totals.negative"),
        ("totals.exposures - COALESCE(by_fold.exposures, 0)", "totals.exposures"),
        (" AND by_fold.fold = keys.fold", ""),
        ("LEFT JOIN by_fold", "INNER JOIN by_fold"),
        (" AND totals.viewer = keys.viewer", ""),
    ),
    *mutations(
        "SQL",
        "interactions/sum_by_line.sql",
        FEATURES,
        ("SUM(reply)", "MAX(reply)"),
        ("SUM(retweet)", "MAX(retweet)"),
        ("SUM(exposures)", "MAX(exposures)"),
    ),
    *mutations(
        "SQL",
        "interactions/engaged_pairs.sql",
        "interactions/test_features.py::test_any_engagement_with_a_similar_author_counts_except_on_the_rows_own_day "
        + FEATURES,
        (" + totals.retweet_with_comment > 0", " > 0"),
        (
            "    AND totals.key IN (SELECT similar_author FROM similar_scores)",
            "    AND totals.key IN (SELECT author FROM similar_scores WHERE author < similar_author)",
        ),
    ),
    *mutations(
        "SQL",
        "interactions/similar_engagements.sql",
        FEATURES,
        ("engaged_pairs.reply - COALESCE(by_fold.reply, 0)", "engaged_pairs.reply"),
        ("numbered.viewer = engaged_pairs.viewer", "numbered.viewer IS NOT NULL"),
        ("by_fold.fold = numbered.fold", "by_fold.fold <= numbered.fold"),
    ),
    *mutations(
        "SQL",
        "interactions/similar_scores.sql",
        FEATURES,
        ("ROUND(similarity.jaccard * 1e12)", "FLOOR(similarity.jaccard * 1e6) * 1000000"),
    ),
    *mutations("SQL", "interactions/similar_sums.sql", FEATURES, ("SUM(score)", "MAX(score)")),
    *mutations(
        "SQL",
        "interactions/followers.sql",
        "interactions/test_similarity.py",
        ("engagee_follows_engager AND ", ""),
    ),
    *mutations(
        "SQL", "interactions/follower_edges.sql", "interactions/test_similarity.py", ("SELECT DISTINCT", "SELECT")
    ),
    *mutations(
        "SQL",
        "interactions/languages.sql",
        COUNTING,
        ('ORDER BY "rows" DESC, language', 'ORDER BY "rows", language'),
    ),
    *mutations("SQL", "interactions/user_numbers.sql", COUNTING, ("    UNION\n", "    UNION ALL\n")),
    *mutations("SQL", "interactions/hashtag_numbers.sql", COUNTING, ("SELECT DISTINCT UNNEST", "SELECT UNNEST")),
    *mutations(
        "SQL",
        "interactions/tagged.sql",
        FEATURES,
        (" AND viewer IS NOT NULL", "", COUNTING),
    ),
    *mutations("SQL", "interactions/keys/pair.sql", FEATURES, (" AND viewer IS NOT NULL", " AND viewer > 1")),
    *mutations("SQL", "interactions/keys/author.sql", FEATURES, ("0 AS viewer", "viewer")),
    *mutations("SQL", "interactions/roles/reversed.sql", FEATURES, ("author AS viewer", "viewer AS viewer")),
    *mutations(
        "SQL",
        "interactions/windows/finetune.sql",
        COUNTING,
        ("WHERE split >= 0", "WHERE split >= -1"),
        ("WHERE split >= 0", "WHERE split > 0"),
    ),
    *mutations(
        "SQL",
        "interactions/kinds/validation.sql",
        FEATURES,
        ("split >= 0", "split > 0"),
    ),
    *mutations(
        "SQL",
        "interactions/kinds/training.sql",
        FEATURES,
        ("engagement_day AS own_day", "CAST(NULL AS INT) AS own_day"),
    ),
    *mutations(
        "SQL",
        "interactions/profiles.sql",
        "interactions/test_features.py::test_hour_and_day_of_month_agree_with_datetime " + FEATURES,
        (
            "engaging_user_account_creation AS DOUBLE)) / 86400), 0",
            "engaging_user_account_creation AS DOUBLE)) / 86400), 1",
        ),
        ("FLOOR(second_of_day / 3600)", "FLOOR(second_of_day / 3601)"),
        ("+ 719468)", "+ 719467)"),
        ("FLOOR(day_of_era / 36524)", "FLOOR(day_of_era / 36525)"),
        ("'Photo'", "'Video'"),
        ("hashtags[1]", "hashtags[2]"),
        ("COALESCE(engaging_user_is_verified, FALSE)", "COALESCE(engaging_user_is_verified, TRUE)"),
        (
            "(153 * FLOOR((5 * day_of_march_year + 2) / 153) + 2) / 5), 0)",
            "(153 * FLOOR((5 * day_of_march_year + 2) / 153) + 2) / 5), 1)",
        ),
    ),
    *mutations(
        "SQL",
        "language/distinct_tweets.sql",
        "language/test_tweets.py",
        ("GROUP BY tweet_id, text_tokens", "GROUP BY tweet_id, text_tokens, language"),
        ("array_length(text_tokens) > 0", "array_length(text_tokens) > 1"),
        ("LIMIT $most", "LIMIT $most + 1"),
    ),
    *mutations(
        "SQL", "language/tweets_with_language.sql", "language/test_tweets.py", ("MIN(language)", "MAX(language)")
    ),
    *mutations(
        "SQL",
        "ingest/duplicates.sql",
        "ingest/test_reading.py",
        ('SUM("rows" - 1)', 'SUM("rows")'),
        ("tweet_id IS NOT NULL AND engaging_user_id IS NOT NULL", "tweet_id IS NOT NULL"),
    ),
    *mutations("SQL", "ingest/days.sql", "ingest/test_side_files.py", ("COUNT(*)", "COUNT(DISTINCT tweet_id)")),
    *mutations(
        "SQL",
        "ingest/sample.sql",
        "ingest/test_side_files.py",
        ("    ORDER BY tweet_id, engaging_user_id\n", ""),
        ("    WHERE tweet_id IS NOT NULL AND engaging_user_id IS NOT NULL\n", ""),
    ),
    *mutations(
        "SQL",
        "ingest/sorted_lines.sql",
        "ingest/test_sorting.py ingest/test_reading.py",
        ("NULLS LAST, line_number", "NULLS LAST"),
    ),
    *mutations(
        "SQL",
        "ingest/label_counts.sql",
        "ingest/test_label_counts.py",
        ("WHERE engagement_day <> 0", "WHERE engagement_day > 0"),
        ("COUNT(retweet_timestamp)", "COUNT(*)"),
    ),
    *mutations("SQL", "ingest/unknown_media.sql", "ingest/test_reading.py", ("ORDER BY n DESC", "ORDER BY n")),
]
