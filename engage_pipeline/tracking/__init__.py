"""Hands training curves and scores to the trackers of the setting `trackers`."""
