-- Key: tweet type and viewer.
SELECT
    exposures.line_number,
    exposures.fold,
    type_numbers.number AS key,
    user_numbers.number AS viewer,
    exposures."like",
    exposures.reply,
    exposures.retweet,
    exposures.retweet_with_comment,
    exposures.negative
FROM exposures
INNER JOIN type_numbers ON type_numbers.id = exposures.tweet_type
INNER JOIN user_numbers ON user_numbers.id = exposures.viewer
