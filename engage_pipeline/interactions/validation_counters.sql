-- What was counted for each row in the validation window: its families joined by line.
SELECT
    numbered.line_number,
    COALESCE(validation_pair."like", 0) AS valid_pair_like,
    COALESCE(validation_pair.reply, 0) AS valid_pair_reply,
    COALESCE(validation_pair.retweet, 0) AS valid_pair_retweet,
    COALESCE(validation_pair.retweet_with_comment, 0) AS valid_pair_retweet_with_comment,
    COALESCE(validation_author."like", 0) AS valid_author_like,
    COALESCE(validation_author.reply, 0) AS valid_author_reply,
    COALESCE(validation_author.retweet, 0) AS valid_author_retweet,
    COALESCE(validation_author.retweet_with_comment, 0) AS valid_author_retweet_with_comment,
    COALESCE(validation_viewer."like", 0) AS valid_viewer_like,
    COALESCE(validation_viewer.reply, 0) AS valid_viewer_reply,
    COALESCE(validation_viewer.retweet, 0) AS valid_viewer_retweet,
    COALESCE(validation_viewer.retweet_with_comment, 0) AS valid_viewer_retweet_with_comment,
    COALESCE(validation_language."like", 0) AS valid_language_like,
    COALESCE(validation_language.reply, 0) AS valid_language_reply,
    COALESCE(validation_language.retweet, 0) AS valid_language_retweet,
    COALESCE(validation_language.retweet_with_comment, 0) AS valid_language_retweet_with_comment,
    COALESCE(validation_hashtag."like", 0) AS valid_hashtag_like,
    COALESCE(validation_hashtag.reply, 0) AS valid_hashtag_reply,
    COALESCE(validation_hashtag.retweet, 0) AS valid_hashtag_retweet,
    COALESCE(validation_hashtag.retweet_with_comment, 0) AS valid_hashtag_retweet_with_comment,
    COALESCE(validation_tweet."like", 0) AS valid_tweet_like,
    COALESCE(validation_tweet.reply, 0) AS valid_tweet_reply,
    COALESCE(validation_tweet.retweet, 0) AS valid_tweet_retweet,
    COALESCE(validation_tweet.retweet_with_comment, 0) AS valid_tweet_retweet_with_comment,
    COALESCE(validation_reverse_pair."like", 0) AS valid_reverse_pair_like,
    COALESCE(validation_reverse_pair.reply, 0) AS valid_reverse_pair_reply,
    COALESCE(validation_reverse_pair.retweet, 0) AS valid_reverse_pair_retweet,
    COALESCE(validation_reverse_pair.retweet_with_comment, 0) AS valid_reverse_pair_retweet_with_comment,
    COALESCE(validation_viewer_as_author."like", 0) AS valid_viewer_as_author_like,
    COALESCE(validation_viewer_as_author.reply, 0) AS valid_viewer_as_author_reply,
    COALESCE(validation_viewer_as_author.retweet, 0) AS valid_viewer_as_author_retweet,
    COALESCE(validation_viewer_as_author.retweet_with_comment, 0) AS valid_viewer_as_author_retweet_with_comment,
    COALESCE(validation_author_as_viewer."like", 0) AS valid_author_as_viewer_like,
    COALESCE(validation_author_as_viewer.reply, 0) AS valid_author_as_viewer_reply,
    COALESCE(validation_author_as_viewer.retweet, 0) AS valid_author_as_viewer_retweet,
    COALESCE(validation_author_as_viewer.retweet_with_comment, 0) AS valid_author_as_viewer_retweet_with_comment,
    COALESCE(validation_pair.negative, 0) AS valid_pair_negative,
    COALESCE(validation_author.negative, 0) AS valid_author_negative,
    COALESCE(validation_viewer.negative, 0) AS valid_viewer_negative,
    COALESCE(validation_tweet.negative, 0) AS valid_tweet_negative,
    COALESCE(validation_pair.exposures, 0) AS valid_pair_exposures,
    COALESCE(validation_author.exposures, 0) AS valid_author_exposures,
    COALESCE(validation_viewer.exposures, 0) AS valid_viewer_exposures,
    COALESCE(validation_language.exposures, 0) AS valid_language_exposures,
    COALESCE(validation_hashtag.exposures, 0) AS valid_hashtag_exposures,
    COALESCE(validation_tweet.exposures, 0) AS valid_tweet_exposures,
    COALESCE(validation_reverse_pair.exposures, 0) AS valid_reverse_pair_exposures,
    COALESCE(validation_viewer_as_author.exposures, 0) AS valid_viewer_as_author_exposures,
    COALESCE(validation_author_as_viewer.exposures, 0) AS valid_author_as_viewer_exposures
FROM numbered
LEFT JOIN validation_pair ON validation_pair.line_number = numbered.line_number
LEFT JOIN validation_author ON validation_author.line_number = numbered.line_number
LEFT JOIN validation_viewer ON validation_viewer.line_number = numbered.line_number
LEFT JOIN validation_language ON validation_language.line_number = numbered.line_number
LEFT JOIN validation_hashtag ON validation_hashtag.line_number = numbered.line_number
LEFT JOIN validation_tweet ON validation_tweet.line_number = numbered.line_number
LEFT JOIN validation_reverse_pair ON validation_reverse_pair.line_number = numbered.line_number
LEFT JOIN validation_viewer_as_author ON validation_viewer_as_author.line_number = numbered.line_number
LEFT JOIN validation_author_as_viewer ON validation_author_as_viewer.line_number = numbered.line_number
