-- Exposures with users and language as numbers; NULL where an id is missing or unknown to the window.
SELECT
    exposures.line_number,
    exposures.fold,
    authors.number AS author,
    viewers.number AS viewer,
    languages.number AS language,
    exposures.hashtags,
    exposures."like",
    exposures.reply,
    exposures.retweet,
    exposures.retweet_with_comment,
    exposures.negative
FROM exposures
LEFT JOIN user_numbers AS authors ON authors.id = exposures.author
LEFT JOIN user_numbers AS viewers ON viewers.id = exposures.viewer
LEFT JOIN languages ON languages.language = exposures.language
