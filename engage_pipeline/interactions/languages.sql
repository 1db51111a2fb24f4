-- The window's languages, the most frequent first, with dense numbers (from 1) in that order.
SELECT language, "rows", CAST(ROW_NUMBER() OVER (ORDER BY "rows" DESC, language) AS INT) AS number
FROM (
    SELECT language, CAST(COUNT(*) AS BIGINT) AS "rows"
    FROM window_tweets
    WHERE language IS NOT NULL
    GROUP BY language
) AS frequencies
ORDER BY number
