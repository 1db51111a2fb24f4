-- The rows that are neither of a deleted tweet nor of a deleted author or viewer. A missing id is not a deleted one.
SELECT *
FROM tweets
WHERE
    NOT COALESCE(
        tweet_id IN (SELECT id FROM deleted_tweet_ids)
        OR engaged_with_user_id IN (SELECT id FROM deleted_user_ids)
        OR engaging_user_id IN (SELECT id FROM deleted_user_ids),
        FALSE
    )
