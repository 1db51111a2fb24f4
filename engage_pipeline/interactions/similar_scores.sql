-- Similar authors by number. Scores are integers in units of 1e-12, so that sums do not depend on their order.
SELECT
    authors.number AS author,
    others.number AS similar_author,
    CAST(ROUND(similarity.jaccard * 1e12) AS BIGINT) AS score
FROM similarity
INNER JOIN user_numbers AS authors ON authors.id = similarity.author
INNER JOIN user_numbers AS others ON others.id = similarity.similar
