-- How often each viewer was shown each author, ordered by viewer.
SELECT viewer, key AS author, exposures
FROM pair
ORDER BY viewer, key
