-- Rows that get training counts, without their own day if they have one.
SELECT *, own_day AS fold
FROM tweets
