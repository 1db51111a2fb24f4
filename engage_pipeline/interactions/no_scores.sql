-- The similarity sums where the feature family is off: no row has one.
SELECT line_number, 0 AS score
FROM numbered
WHERE 1 = 0
