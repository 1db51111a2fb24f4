-- Rows and engagements of the window.
SELECT
    CAST(COUNT(*) AS BIGINT) AS "rows",
    CAST(COALESCE(SUM("like"), 0) AS BIGINT) AS "like",
    CAST(COALESCE(SUM(reply), 0) AS BIGINT) AS reply,
    CAST(COALESCE(SUM(retweet), 0) AS BIGINT) AS retweet,
    CAST(COALESCE(SUM(retweet_with_comment), 0) AS BIGINT) AS retweet_with_comment,
    CAST(COALESCE(SUM(negative), 0) AS BIGINT) AS negative
FROM numbered
