"""The Dagster layer: one module a stage; an asset is paths in, one library call, metadata out."""
