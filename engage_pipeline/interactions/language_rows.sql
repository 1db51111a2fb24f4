-- Rows of each language, NULL = missing.
SELECT language, CAST(COUNT(*) AS BIGINT) AS "rows"
FROM features
GROUP BY language
