-- Pairs of author and follower in the training rows, with repeats.
SELECT engaged_with_user_id AS author, engaging_user_id AS viewer
FROM source
WHERE engagee_follows_engager AND engaged_with_user_id IS NOT NULL AND engaging_user_id IS NOT NULL
