"""The mixed model: what is peculiar to each viewer, author, pair, topic …, as one sum of effects."""
