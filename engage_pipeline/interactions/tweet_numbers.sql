-- Dense numbers (from 1) of the window's tweets.
SELECT id, CAST(ROW_NUMBER() OVER (ORDER BY id) AS INT) AS number
FROM (SELECT DISTINCT tweet_id AS id FROM window_tweets WHERE tweet_id IS NOT NULL) AS ids
ORDER BY id
