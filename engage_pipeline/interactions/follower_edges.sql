-- Author and follower as numbers, each pair once. DISTINCT over numbers takes a fifth of the memory of ids.
SELECT DISTINCT follower_authors.number AS author, follower_viewers.number AS viewer
FROM followers
INNER JOIN follower_authors ON follower_authors.author = followers.author
INNER JOIN follower_viewers ON follower_viewers.viewer = followers.viewer
