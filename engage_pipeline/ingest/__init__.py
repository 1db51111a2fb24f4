"""Raw parts in the challenge's format become typed Parquet, and nothing is lost on the way."""
