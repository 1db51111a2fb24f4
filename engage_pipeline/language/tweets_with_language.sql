-- Distinct tweets with their language, the first $most of them by tweet_id, told apart as in distinct_tweets.
SELECT
    tweet_id,
    text_tokens,
    MIN(language) AS language
FROM tweets
WHERE ARRAY_LENGTH(text_tokens) > 0
GROUP BY tweet_id, text_tokens
ORDER BY tweet_id NULLS LAST, text_tokens
LIMIT $most
