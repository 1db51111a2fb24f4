-- Distinct tweets with their language, the first $most of them by tweet_id, told apart as in distinct_tweets.
SELECT
    tweet_id,
    text_tokens,
    text_tokens_high,
    MIN(language) AS language
FROM tweets
WHERE OCTET_LENGTH(text_tokens_high) > 0
GROUP BY tweet_id, text_tokens, text_tokens_high
ORDER BY tweet_id NULLS LAST, text_tokens, text_tokens_high
LIMIT $most
