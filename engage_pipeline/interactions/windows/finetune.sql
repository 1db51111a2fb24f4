-- Fine-tuning rows of the validation part: each chunk is a fold.
SELECT *, split AS fold
FROM source
WHERE split >= 0
