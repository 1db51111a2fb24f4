-- Rows whose tweet and viewer occurred in a row before. A row that lacks either id is none: who saw what is unknown.
SELECT CAST(COALESCE(SUM("rows" - 1), 0) AS BIGINT) AS duplicates
FROM (
    SELECT CAST(COUNT(*) AS BIGINT) AS "rows"
    FROM tweets
    WHERE tweet_id IS NOT NULL AND engaging_user_id IS NOT NULL
    GROUP BY tweet_id, engaging_user_id
) AS pairs
