-- Training rows: the training counts leave out the row's own day, the validation counts nothing.
SELECT *, CAST(NULL AS INT) AS split, engagement_day AS own_day, CAST(NULL AS INT) AS own_chunk
FROM source
