-- The rejected lines that hold a deleted id anywhere, ascending.
SELECT DISTINCT line_number
FROM candidates
WHERE
    id IN (SELECT id FROM deleted_tweet_ids)
    OR id IN (SELECT id FROM deleted_user_ids)
ORDER BY line_number
