-- Authors with a follower, numbered from 0 in order of their id.
SELECT author, CAST(ROW_NUMBER() OVER (ORDER BY author) - 1 AS INT) AS number
FROM (SELECT DISTINCT author FROM followers) AS authors
ORDER BY number
