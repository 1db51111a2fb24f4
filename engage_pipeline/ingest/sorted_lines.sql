-- The lines of a part in the order of their tweets: DuckDB compares text by its bytes.
SELECT line_number, line, ends
FROM lines
ORDER BY tweet_id NULLS LAST, line_number
