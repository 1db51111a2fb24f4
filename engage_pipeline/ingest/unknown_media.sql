-- The ten commonest media that the challenge does not know, and how often they are present.
SELECT medium AS name, COUNT(*) AS n
FROM (SELECT UNNEST(present_media) AS medium FROM tweets) AS media
WHERE NOT LIST_CONTAINS($known, medium)
GROUP BY medium
ORDER BY n DESC, name
LIMIT 10
