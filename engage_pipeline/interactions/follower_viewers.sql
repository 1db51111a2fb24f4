-- Users who follow an author, each once.
SELECT DISTINCT viewer
FROM followers
