-- The ten commonest tweet types that the challenge does not know, and their rows.
SELECT tweet_type AS name, COUNT(*) AS n
FROM tweets
WHERE NOT LIST_CONTAINS($known, tweet_type)
GROUP BY tweet_type
ORDER BY n DESC, name
LIMIT 10
