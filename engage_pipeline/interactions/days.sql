-- Rows and engagements of each engagement day.
SELECT
    fold AS engagement_day,
    CAST(COUNT(*) AS BIGINT) AS "rows",
    CAST(SUM("like") AS BIGINT) AS "like",
    CAST(SUM(reply) AS BIGINT) AS reply,
    CAST(SUM(retweet) AS BIGINT) AS retweet,
    CAST(SUM(retweet_with_comment) AS BIGINT) AS retweet_with_comment,
    CAST(SUM(negative) AS BIGINT) AS negative
FROM numbered
GROUP BY fold
ORDER BY fold
