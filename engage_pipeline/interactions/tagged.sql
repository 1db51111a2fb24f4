-- Numbered exposures, one row for each of their hashtags (repeats included), with the hashtag as a number.
SELECT
    unnested.line_number,
    unnested.fold,
    hashtag_numbers.number AS hashtag,
    unnested.viewer,
    unnested."like",
    unnested.reply,
    unnested.retweet,
    unnested.retweet_with_comment,
    unnested.negative
FROM (
    SELECT
        line_number, fold, viewer, UNNEST(hashtags) AS hashtag, "like", reply, retweet, retweet_with_comment, negative
    FROM numbered
    WHERE ARRAY_LENGTH(hashtags) > 0 AND viewer IS NOT NULL
) AS unnested
INNER JOIN hashtag_numbers ON hashtag_numbers.id = unnested.hashtag
