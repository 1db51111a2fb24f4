-- Key: hashtag and viewer, one for each hashtag of the row (repeats included).
SELECT line_number, fold, hashtag AS key, viewer, "like", reply, retweet, retweet_with_comment, negative
FROM tagged
