"""Evaluates models on the holdout rows, and writes the report."""
