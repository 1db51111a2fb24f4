-- Key: hashtag and viewer, once for each hashtag of the row, repeats counted.
SELECT
    tagged.line_number,
    tagged.fold,
    hashtag_numbers.number AS key,
    user_numbers.number AS viewer,
    tagged."like",
    tagged.reply,
    tagged.retweet,
    tagged.retweet_with_comment,
    tagged.negative
FROM (
    SELECT
        line_number, fold, viewer, UNNEST(hashtags) AS hashtag, "like", reply, retweet, retweet_with_comment, negative
    FROM exposures
    WHERE ARRAY_LENGTH(hashtags) > 0
) AS tagged
INNER JOIN hashtag_numbers ON hashtag_numbers.id = tagged.hashtag
INNER JOIN user_numbers ON user_numbers.id = tagged.viewer
