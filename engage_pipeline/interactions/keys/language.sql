-- Key: language and viewer.
SELECT line_number, fold, language AS key, viewer, "like", reply, retweet, retweet_with_comment, negative
FROM roles
WHERE language IS NOT NULL AND viewer IS NOT NULL
