-- Dense numbers (from 1) of the window's hashtags.
SELECT id, CAST(ROW_NUMBER() OVER (ORDER BY id) AS INT) AS number
FROM (SELECT DISTINCT UNNEST(hashtags) AS id FROM window_tweets) AS tags
WHERE id IS NOT NULL
ORDER BY id
