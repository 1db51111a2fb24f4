-- Which users follow which author, as far as the training rows tell; the same again and again.
SELECT engaged_with_user_id AS author, engaging_user_id AS viewer
FROM source
WHERE engagee_follows_engager AND engaged_with_user_id IS NOT NULL AND engaging_user_id IS NOT NULL
