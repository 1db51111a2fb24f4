-- Author and follower as numbers, each pair once: of numbers that costs a fifth of the memory that ids would take.
SELECT DISTINCT follower_authors.number AS author, follower_viewers.number AS viewer
FROM followers
INNER JOIN follower_authors ON follower_authors.author = followers.author
INNER JOIN follower_viewers ON follower_viewers.viewer = followers.viewer
