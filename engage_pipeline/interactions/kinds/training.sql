-- Training rows: the training counts leave the row's own day out, the validation counts nothing.
SELECT *, CAST(NULL AS INT) AS split, engagement_day AS own_day, CAST(NULL AS INT) AS own_chunk
FROM source
