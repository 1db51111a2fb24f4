-- Dense numbers (from 1) of the window's tweet types.
SELECT id, CAST(ROW_NUMBER() OVER (ORDER BY id) AS INT) AS number
FROM (SELECT DISTINCT tweet_type AS id FROM window_tweets WHERE tweet_type IS NOT NULL) AS ids
ORDER BY id
