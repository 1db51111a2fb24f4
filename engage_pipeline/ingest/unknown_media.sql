-- The ten commonest media that the challenge does not know, and how often they are present.
SELECT medium AS name, COUNT(*) AS n
FROM (SELECT UNNEST(present_media) AS medium FROM tweets)
WHERE NOT list_contains($known, medium)
GROUP BY medium
ORDER BY n DESC, name
LIMIT 10
