-- Author and viewer in each other's role: the keys of these rows look the reverse pair up, the viewer among the
-- authors, and the author among the viewers.
SELECT
    line_number, fold, viewer AS author, author AS viewer, language, "like", reply, retweet, retweet_with_comment,
    negative
FROM numbered
