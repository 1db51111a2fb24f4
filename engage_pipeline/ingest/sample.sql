-- The first so many of all tweet and viewer pairs in the order of their ids: parts that share rows share these too.
SELECT tweet_id || ' ' || engaging_user_id AS pair
FROM (
    SELECT tweet_id, engaging_user_id
    FROM tweets
    WHERE tweet_id IS NOT NULL AND engaging_user_id IS NOT NULL
    ORDER BY tweet_id, engaging_user_id
    LIMIT $sample_rows
) AS least
ORDER BY pair
