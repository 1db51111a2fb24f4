-- How often each viewer was shown each author, viewer after viewer.
SELECT viewer, key AS author, exposures
FROM pair
ORDER BY viewer, key
