"""Profiles of features, and how far they have moved."""
