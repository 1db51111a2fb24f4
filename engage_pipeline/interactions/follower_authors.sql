-- Authors with a follower, each once.
SELECT DISTINCT author
FROM followers
