-- Key: the author.
SELECT line_number, fold, author AS key, 0 AS viewer, "like", reply, retweet, retweet_with_comment, negative
FROM roles
WHERE author IS NOT NULL
