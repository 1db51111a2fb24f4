-- Author and viewer as they are.
SELECT line_number, fold, author, viewer, language, "like", reply, retweet, retweet_with_comment, negative
FROM numbered
