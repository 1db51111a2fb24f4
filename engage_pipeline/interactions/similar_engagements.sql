-- The viewer's engagements with authors similar to the row's author, weighted by their scores (in 1e-12), without those
-- of the row's own fold.
SELECT
    numbered.line_number,
    CAST(SUM(similar_scores.score * (engaged_pairs."like" - COALESCE(by_fold."like", 0))) AS BIGINT) AS "like",
    CAST(SUM(similar_scores.score * (engaged_pairs.reply - COALESCE(by_fold.reply, 0))) AS BIGINT) AS reply,
    CAST(SUM(similar_scores.score * (engaged_pairs.retweet - COALESCE(by_fold.retweet, 0))) AS BIGINT) AS retweet,
    CAST(
        SUM(
            similar_scores.score
            * (engaged_pairs.retweet_with_comment - COALESCE(by_fold.retweet_with_comment, 0))
        ) AS BIGINT
    ) AS retweet_with_comment
FROM engaged_pairs
INNER JOIN similar_scores ON similar_scores.similar_author = engaged_pairs.author
INNER JOIN numbered ON numbered.author = similar_scores.author AND numbered.viewer = engaged_pairs.viewer
LEFT JOIN by_fold
    ON
        by_fold.key = engaged_pairs.author
        AND by_fold.viewer = engaged_pairs.viewer
        AND by_fold.fold = numbered.fold
GROUP BY numbered.line_number
