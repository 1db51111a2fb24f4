-- Every distinct tweet with tokens, the first $most of them by tweet_id. Rows without a tweet_id are told apart by
-- their tokens, and so are rows of one tweet_id whose tokens differ.
SELECT
    tweet_id,
    text_tokens,
    text_tokens_high,
    CAST(COUNT(*) AS BIGINT) AS occurrences
FROM tweets
WHERE OCTET_LENGTH(text_tokens_high) > 0
GROUP BY tweet_id, text_tokens, text_tokens_high
ORDER BY tweet_id NULLS LAST, text_tokens, text_tokens_high
LIMIT $most
