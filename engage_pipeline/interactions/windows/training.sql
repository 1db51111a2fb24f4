-- Training rows: each engagement day is a fold.
SELECT *, engagement_day AS fold
FROM source
