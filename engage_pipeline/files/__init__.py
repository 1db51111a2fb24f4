"""Files of every kind: written whole or not at all, Parquet, the raw parts of a folder, outputs that a user names."""
