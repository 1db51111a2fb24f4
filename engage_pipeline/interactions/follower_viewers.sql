-- Users who follow an author, numbered from 0.
SELECT viewer, CAST(ROW_NUMBER() OVER (ORDER BY viewer) - 1 AS INT) AS number
FROM (SELECT DISTINCT viewer FROM followers) AS viewers
