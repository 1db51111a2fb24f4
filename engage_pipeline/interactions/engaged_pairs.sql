-- Pairs with an engagement, of viewers of these rows and authors that are similar to another author.
SELECT totals.key AS author, totals.viewer, totals."like", totals.reply, totals.retweet, totals.retweet_with_comment
FROM totals
WHERE
    totals."like" + totals.reply + totals.retweet + totals.retweet_with_comment > 0
    AND totals.viewer IN (SELECT viewer FROM numbered WHERE viewer IS NOT NULL)
    AND totals.key IN (SELECT similar_author FROM similar_scores)
