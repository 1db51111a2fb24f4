-- Dense numbers (from 1) of the window's users, authors and viewers: counting by numbers is faster than by ids.
SELECT id, CAST(ROW_NUMBER() OVER (ORDER BY id) AS INT) AS number
FROM (
    SELECT engaged_with_user_id AS id FROM window_tweets WHERE engaged_with_user_id IS NOT NULL
    UNION
    SELECT engaging_user_id AS id FROM window_tweets WHERE engaging_user_id IS NOT NULL
) AS users
ORDER BY id
