-- Counts summed over the keys of a row, such as its hashtags.
SELECT
    line_number,
    CAST(SUM("like") AS INT) AS "like",
    CAST(SUM(reply) AS INT) AS reply,
    CAST(SUM(retweet) AS INT) AS retweet,
    CAST(SUM(retweet_with_comment) AS INT) AS retweet_with_comment,
    CAST(SUM(negative) AS INT) AS negative,
    CAST(SUM(exposures) AS INT) AS exposures
FROM left_out
GROUP BY line_number
