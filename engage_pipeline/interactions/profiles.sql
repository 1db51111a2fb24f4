-- The features of each row itself: sizes, ages, flags, hour and day of month (UTC). Missing numbers are 0, missing
-- flags false.
-- The date is taken from the timestamp modulo 400 years, after which the Gregorian calendar repeats; day_of_month is
-- computed from the day of a year that begins in March (H. Hinnant, chrono-compatible low-level date algorithms).
SELECT
    line_number,
    engagement_day,
    split,
    language,
    text_tokens,
    text_tokens_high,
    tweet_id,
    engaging_user_id,
    engaged_with_user_id,
    CASE WHEN ARRAY_LENGTH(hashtags) > 0 THEN hashtags[1] END AS first_hashtag,
    COALESCE(tweet_timestamp, 0) AS tweet_timestamp,
    like_timestamp IS NOT NULL AS "like",
    retweet_timestamp IS NOT NULL AS retweet,
    retweet_with_comment_timestamp IS NOT NULL AS retweet_with_comment,
    reply_timestamp IS NOT NULL AS reply,
    COALESCE(ARRAY_LENGTH(hashtags), 0) AS n_hashtags,
    COALESCE(OCTET_LENGTH(text_tokens_high), 0) AS n_tokens,
    COALESCE(engaged_with_user_follower_count, 0) AS engaged_with_user_follower_count,
    COALESCE(engaged_with_user_following_count, 0) AS engaged_with_user_following_count,
    COALESCE(engaging_user_follower_count, 0) AS engaging_user_follower_count,
    COALESCE(engaging_user_following_count, 0) AS engaging_user_following_count,
    COALESCE(
        FLOOR((CAST(tweet_timestamp AS DOUBLE) - CAST(engaging_user_account_creation AS DOUBLE)) / 86400), 0
    ) AS engaging_user_account_age_days,
    COALESCE(
        FLOOR((CAST(tweet_timestamp AS DOUBLE) - CAST(engaged_with_user_account_creation AS DOUBLE)) / 86400), 0
    ) AS engaged_with_user_account_age_days,
    COALESCE(engagee_follows_engager, FALSE) AS engagee_follows_engager,
    COALESCE(engaged_with_user_is_verified, FALSE) AS engaged_with_user_is_verified,
    COALESCE(engaging_user_is_verified, FALSE) AS engaging_user_is_verified,
    COALESCE(ARRAY_LENGTH(hashtags) > 0, FALSE) AS has_hashtag,
    COALESCE(ARRAY_CONTAINS(present_media, 'GIF'), FALSE) AS has_gif,
    COALESCE(ARRAY_CONTAINS(present_media, 'Photo'), FALSE) AS has_photo,
    COALESCE(ARRAY_CONTAINS(present_media, 'Video'), FALSE) AS has_video,
    COALESCE(ARRAY_LENGTH(present_links) > 0, FALSE) AS has_link,
    COALESCE(ARRAY_LENGTH(present_domains) > 0, FALSE) AS has_domain,
    COALESCE(tweet_type = 'Quote', FALSE) AS is_quote,
    COALESCE(tweet_type = 'Retweet', FALSE) AS is_retweet,
    COALESCE(tweet_type = 'TopLevel', FALSE) AS is_top_level,
    COALESCE(FLOOR(second_of_day / 3600), 0) AS hour,
    COALESCE(day_of_march_year - FLOOR((153 * FLOOR((5 * day_of_march_year + 2) / 153) + 2) / 5), 0) AS day_of_month
FROM (
    SELECT *, day_of_era - (365 * year_of_era + FLOOR(year_of_era / 4) - FLOOR(year_of_era / 100)) AS day_of_march_year
    FROM (
        SELECT
            *,
            FLOOR(
                (day_of_era - FLOOR(day_of_era / 1460) + FLOOR(day_of_era / 36524) - FLOOR(day_of_era / 146096)) / 365
            ) AS year_of_era
        FROM (
            SELECT *, (CAST(FLOOR(second_of_cycle / 86400) AS INT) + 719468) % 146097 AS day_of_era
            FROM (
                SELECT *, second_of_cycle % 86400 AS second_of_day
                FROM (
                    SELECT *, (tweet_timestamp % 12622780800 + 12622780800) % 12622780800 AS second_of_cycle
                    FROM tweets
                ) AS cycles
            ) AS seconds
        ) AS eras
    ) AS years
) AS days
