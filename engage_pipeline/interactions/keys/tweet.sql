-- Key: the tweet.
SELECT
    exposures.line_number,
    exposures.fold,
    tweet_numbers.number AS key,
    0 AS viewer,
    exposures."like",
    exposures.reply,
    exposures.retweet,
    exposures.retweet_with_comment,
    exposures.negative
FROM exposures
INNER JOIN tweet_numbers ON tweet_numbers.id = exposures.tweet
