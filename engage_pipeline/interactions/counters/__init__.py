"""Counters over a window of rows, and their values for given rows."""
