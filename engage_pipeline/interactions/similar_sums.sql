-- The sum of the scores of the authors similar to each row's author.
SELECT numbered.line_number, sums.jaccard_sum
FROM numbered
INNER JOIN (
    SELECT author, CAST(SUM(score) AS BIGINT) AS jaccard_sum
    FROM similar_scores
    GROUP BY author
) AS sums ON sums.author = numbered.author
