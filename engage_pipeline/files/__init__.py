"""Files: atomic writes, Parquet, the raw parts of a folder, outputs that a user names."""
