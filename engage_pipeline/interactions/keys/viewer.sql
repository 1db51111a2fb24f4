-- Key: the viewer.
SELECT line_number, fold, viewer AS key, 0 AS viewer, "like", reply, retweet, retweet_with_comment, negative
FROM roles
WHERE viewer IS NOT NULL
