-- The rows of a deleted tweet, or of a deleted author or viewer.
SELECT line_number
FROM tweets
WHERE
    tweet_id IN (SELECT id FROM deleted_tweet_ids)
    OR engaged_with_user_id IN (SELECT id FROM deleted_user_ids)
    OR engaging_user_id IN (SELECT id FROM deleted_user_ids)
