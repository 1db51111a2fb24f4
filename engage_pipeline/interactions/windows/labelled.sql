-- Every labelled row of the validation part: nothing is ever left out of their counts.
SELECT *, 0 AS fold
FROM source
