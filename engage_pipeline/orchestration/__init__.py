"""Everything that imports Dagster: the graph, its assets and checks, what runs them, and when."""
