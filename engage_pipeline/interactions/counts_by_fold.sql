-- Exposures of each key by fold, and how many of them have each engagement, or none.
SELECT
    key,
    viewer,
    fold,
    CAST(SUM("like") AS INT) AS "like",
    CAST(SUM(reply) AS INT) AS reply,
    CAST(SUM(retweet) AS INT) AS retweet,
    CAST(SUM(retweet_with_comment) AS INT) AS retweet_with_comment,
    CAST(SUM(negative) AS INT) AS negative,
    CAST(COUNT(*) AS INT) AS exposures
FROM keys
GROUP BY key, viewer, fold
ORDER BY key, viewer, fold
