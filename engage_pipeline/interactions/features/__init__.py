"""The features of parts, and of single rows."""
