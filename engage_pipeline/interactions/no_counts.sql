-- The counts of a key whose feature family is off: no row has any.
SELECT line_number, "like", reply, retweet, retweet_with_comment, negative, 0 AS exposures
FROM numbered
WHERE 1 = 0
