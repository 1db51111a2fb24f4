"""Scores of a results.csv against labelled rows."""
