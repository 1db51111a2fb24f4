-- Users who follow at least two authors, numbered from 0: who follows one only makes no two authors similar.
SELECT viewer, CAST(ROW_NUMBER() OVER (ORDER BY viewer) - 1 AS INT) AS number
FROM (SELECT viewer FROM followers GROUP BY viewer HAVING COUNT(*) > 1) AS shared
