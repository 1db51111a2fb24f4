-- The counts of a key over all folds.
SELECT
    key,
    viewer,
    CAST(SUM("like") AS INT) AS "like",
    CAST(SUM(reply) AS INT) AS reply,
    CAST(SUM(retweet) AS INT) AS retweet,
    CAST(SUM(retweet_with_comment) AS INT) AS retweet_with_comment,
    CAST(SUM(negative) AS INT) AS negative,
    CAST(SUM(exposures) AS INT) AS exposures
FROM by_fold
GROUP BY key, viewer
ORDER BY key, viewer
