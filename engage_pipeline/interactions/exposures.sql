-- One row per exposure: its ids, its fold, and 0 or 1 for each engagement.
SELECT
    line_number,
    fold,
    engaged_with_user_id AS author,
    engaging_user_id AS viewer,
    language,
    tweet_type,
    tweet_id AS tweet,
    hashtags,
    CASE WHEN like_timestamp IS NULL THEN 0 ELSE 1 END AS "like",
    CASE WHEN reply_timestamp IS NULL THEN 0 ELSE 1 END AS reply,
    CASE WHEN retweet_timestamp IS NULL THEN 0 ELSE 1 END AS retweet,
    CASE WHEN retweet_with_comment_timestamp IS NULL THEN 0 ELSE 1 END AS retweet_with_comment,
    CASE
        WHEN COALESCE(like_timestamp, reply_timestamp, retweet_timestamp, retweet_with_comment_timestamp) IS NULL THEN 1
        ELSE 0
    END AS negative
FROM window_tweets
