-- Every distinct tweet with tokens, the first $most of them by tweet_id. Rows without a tweet_id are told apart by
-- their tokens, and so are rows of one tweet_id whose tokens differ.
SELECT
    tweet_id,
    text_tokens,
    CAST(COUNT(*) AS BIGINT) AS occurrences
FROM tweets
WHERE ARRAY_LENGTH(text_tokens) > 0
GROUP BY tweet_id, text_tokens
ORDER BY tweet_id NULLS LAST, text_tokens
LIMIT $most
