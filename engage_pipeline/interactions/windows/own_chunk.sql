-- Rows to be given validation counts: their own chunk is left out where they have one.
SELECT *, own_chunk AS fold
FROM tweets
