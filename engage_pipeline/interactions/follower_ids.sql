-- The ids of the authors, in the order of their numbers.
SELECT author
FROM follower_authors
ORDER BY number
