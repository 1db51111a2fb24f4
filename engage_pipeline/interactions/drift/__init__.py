"""Drift: profiles of features, and how far they differ."""
