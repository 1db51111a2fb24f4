-- Rows that get validation counts, without their own chunk if they have one.
SELECT *, own_chunk AS fold
FROM tweets
