-- Rows and engagements of each engagement day; rows without any time (day 0) are left out.
SELECT
    engagement_day,
    CAST(COUNT(*) AS BIGINT) AS "rows",
    CAST(COUNT(like_timestamp) AS BIGINT) AS "like",
    CAST(COUNT(reply_timestamp) AS BIGINT) AS reply,
    CAST(COUNT(retweet_timestamp) AS BIGINT) AS retweet,
    CAST(COUNT(retweet_with_comment_timestamp) AS BIGINT) AS retweet_with_comment
FROM tweets
WHERE engagement_day <> 0
GROUP BY engagement_day
ORDER BY engagement_day
