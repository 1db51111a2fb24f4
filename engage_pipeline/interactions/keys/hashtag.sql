-- Key: hashtag and viewer, once for each hashtag of the row, repeats counted.
SELECT line_number, fold, hashtag AS key, viewer, "like", reply, retweet, retweet_with_comment, negative
FROM tagged
