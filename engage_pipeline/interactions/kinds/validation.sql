-- Validation rows: the validation counts leave out a fine-tuning row's own chunk; for a holdout row nothing.
SELECT *, CAST(NULL AS INT) AS own_day, CASE WHEN split >= 0 THEN split END AS own_chunk
FROM source
