-- Counts by fold without any row: nothing is left out.
SELECT key, viewer, 0 AS fold, "like", reply, retweet, retweet_with_comment, negative, exposures
FROM totals
WHERE 1 = 0
