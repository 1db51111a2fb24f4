-- Users who follow an author, numbered from 0, in any order: sorting two million ids takes as long as finding them.
SELECT viewer, CAST(ROW_NUMBER() OVER (ORDER BY NULL) - 1 AS INT) AS number
FROM (SELECT DISTINCT viewer FROM followers) AS viewers
