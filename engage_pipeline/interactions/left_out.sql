-- Leave-one-out counts: for each key of a row, the totals minus the counts of the row's own fold. For a row without a
-- fold they are the totals; a key that was never counted has no row.
SELECT
    keys.line_number,
    totals."like" - COALESCE(by_fold."like", 0) AS "like",
    totals.reply - COALESCE(by_fold.reply, 0) AS reply,
    totals.retweet - COALESCE(by_fold.retweet, 0) AS retweet,
    totals.retweet_with_comment - COALESCE(by_fold.retweet_with_comment, 0) AS retweet_with_comment,
    totals.negative - COALESCE(by_fold.negative, 0) AS negative,
    totals.exposures - COALESCE(by_fold.exposures, 0) AS exposures
FROM keys
INNER JOIN totals ON totals.key = keys.key AND totals.viewer = keys.viewer
LEFT JOIN by_fold ON by_fold.key = keys.key AND by_fold.viewer = keys.viewer AND by_fold.fold = keys.fold
