-- Rows to be given training counts: their own day is left out where they have one.
SELECT *, own_day AS fold
FROM tweets
