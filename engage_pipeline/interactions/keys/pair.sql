-- Key: author and viewer.
SELECT line_number, fold, author AS key, viewer, "like", reply, retweet, retweet_with_comment, negative
FROM roles
WHERE author IS NOT NULL AND viewer IS NOT NULL
