-- What was counted for each row in the training window, the similar authors included: its families joined by line.
SELECT
    numbered.line_number,
    COALESCE(training_pair."like", 0) AS pair_like,
    COALESCE(training_pair.reply, 0) AS pair_reply,
    COALESCE(training_pair.retweet, 0) AS pair_retweet,
    COALESCE(training_pair.retweet_with_comment, 0) AS pair_retweet_with_comment,
    COALESCE(training_author."like", 0) AS author_like,
    COALESCE(training_author.reply, 0) AS author_reply,
    COALESCE(training_author.retweet, 0) AS author_retweet,
    COALESCE(training_author.retweet_with_comment, 0) AS author_retweet_with_comment,
    COALESCE(training_viewer."like", 0) AS viewer_like,
    COALESCE(training_viewer.reply, 0) AS viewer_reply,
    COALESCE(training_viewer.retweet, 0) AS viewer_retweet,
    COALESCE(training_viewer.retweet_with_comment, 0) AS viewer_retweet_with_comment,
    COALESCE(training_language."like", 0) AS language_like,
    COALESCE(training_language.reply, 0) AS language_reply,
    COALESCE(training_language.retweet, 0) AS language_retweet,
    COALESCE(training_language.retweet_with_comment, 0) AS language_retweet_with_comment,
    COALESCE(training_hashtag."like", 0) AS hashtag_like,
    COALESCE(training_hashtag.reply, 0) AS hashtag_reply,
    COALESCE(training_hashtag.retweet, 0) AS hashtag_retweet,
    COALESCE(training_hashtag.retweet_with_comment, 0) AS hashtag_retweet_with_comment,
    COALESCE(CAST(similar_engagements."like" AS DOUBLE), 0) / 1e12 AS similar_like,
    COALESCE(CAST(similar_engagements.reply AS DOUBLE), 0) / 1e12 AS similar_reply,
    COALESCE(CAST(similar_engagements.retweet AS DOUBLE), 0) / 1e12 AS similar_retweet,
    COALESCE(CAST(similar_engagements.retweet_with_comment AS DOUBLE), 0) / 1e12 AS similar_retweet_with_comment,
    COALESCE(CAST(similar_sums.score AS DOUBLE), 0) / 1e12 AS similar_jaccard_sum,
    COALESCE(training_pair.exposures, 0) AS pair_exposures,
    COALESCE(training_author.exposures, 0) AS author_exposures,
    COALESCE(training_viewer.exposures, 0) AS viewer_exposures,
    COALESCE(training_language.exposures, 0) AS language_exposures,
    COALESCE(training_hashtag.exposures, 0) AS hashtag_exposures
FROM numbered
LEFT JOIN training_pair ON training_pair.line_number = numbered.line_number
LEFT JOIN training_author ON training_author.line_number = numbered.line_number
LEFT JOIN training_viewer ON training_viewer.line_number = numbered.line_number
LEFT JOIN training_language ON training_language.line_number = numbered.line_number
LEFT JOIN training_hashtag ON training_hashtag.line_number = numbered.line_number
LEFT JOIN similar_engagements ON similar_engagements.line_number = numbered.line_number
LEFT JOIN similar_sums ON similar_sums.line_number = numbered.line_number
