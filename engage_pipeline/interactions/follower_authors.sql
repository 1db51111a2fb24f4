-- Authors with a follower, numbered from 0 in order of their number of followers, then of their id.
SELECT
    author,
    followers,
    CAST(ROW_NUMBER() OVER (ORDER BY followers, author) - 1 AS INT) AS number
FROM (SELECT author, CAST(COUNT(*) AS BIGINT) AS followers FROM followers GROUP BY author) AS sizes
ORDER BY number
