-- Rows of each engagement day; day 0 = rows without any time.
SELECT engagement_day, CAST(COUNT(*) AS BIGINT) AS "rows"
FROM tweets
GROUP BY engagement_day
ORDER BY engagement_day
