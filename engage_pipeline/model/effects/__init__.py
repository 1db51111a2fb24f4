"""The mixed model: a sum of effects of each viewer, author, pair, topic and so on."""
