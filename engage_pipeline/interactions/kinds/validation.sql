-- Validation rows: a fine-tuning row leaves its own chunk out of the validation counts, a holdout row nothing.
SELECT *, CAST(NULL AS INT) AS own_day, CASE WHEN split >= 0 THEN split END AS own_chunk
FROM source
