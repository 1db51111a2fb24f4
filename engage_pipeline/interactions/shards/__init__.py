"""The shard: rows that share viewers (authors, tweets) brought together, so that each can be worked on alone."""
