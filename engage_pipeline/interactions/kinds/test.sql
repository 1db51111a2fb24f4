-- Test rows: they have no labels, and nothing is left out.
SELECT
    *,
    CAST(NULL AS INT) AS split,
    CAST(NULL AS INT) AS own_day,
    CAST(NULL AS INT) AS own_chunk,
    CAST(NULL AS BIGINT) AS reply_timestamp,
    CAST(NULL AS BIGINT) AS retweet_timestamp,
    CAST(NULL AS BIGINT) AS retweet_with_comment_timestamp,
    CAST(NULL AS BIGINT) AS like_timestamp
FROM source
