-- Author and viewer swapped: the keys of these rows look up the reverse pair, the viewer as an author, and the author
-- as a viewer.
SELECT
    line_number, fold, viewer AS author, author AS viewer, language, "like", reply, retweet, retweet_with_comment,
    negative
FROM numbered
